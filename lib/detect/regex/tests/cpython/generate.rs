//! Patterns by a grammar, from a seed. Small alphabets, so that texts match often; the characters beyond ASCII
//! are those on which engines differ.

use crate::oracle::Case;

const LETTERS: [&str; 14] = [
    "a", "b", "a", "b", "a", "b", "A", "c", "é", "ſ", "İ", "Σ", "😀", "s",
];
const TEXT: [&str; 40] = [
    "a", "b", "a", "b", "a", "b", "ab", "A", "B", "c", "1", "_", " ", "\n", "\n", "é", "É", "ſ", "S", "s",
    "İ", "i", "ı", "K", "k", "Σ", "ς", "σ", "😀", "²", "٣", "ß", "\u{301}", "\u{1c}", "\u{85}", "-", "µ",
    "\u{2028}", "Ⅷ", "x",
];

pub(crate) struct Generator {
    state: u64,
    /// Groups opened so far, and those closed.
    opened: usize,
    closed: Vec<usize>,
    budget: usize,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator {
            state: seed,
            opened: 0,
            closed: Vec::new(),
            budget: 0,
        }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn text(&mut self) -> String {
        // Half of the texts are ASCII and without line feeds, as most log fields are.
        let from = if self.one_in(2) { &TEXT[..13] } else { &TEXT[..] };
        let mut text: String = (0..self.below(9)).map(|_| self.pick(from)).collect();
        if self.one_in(6) {
            text.push('\n');
        }
        text
    }

    pub(crate) fn case(&mut self) -> Case {
        let pattern = self.pattern();
        let mut texts = Vec::new();
        for _ in 0..10 {
            let text = self.text();
            texts.push((text, self.below(5), self.below(12)));
        }
        let flags = match self.below(8) {
            0 => 2,
            1 => 8,
            2 => 16,
            3 => 2 | 8,
            4 => 256,
            5 => 2 | 256,
            _ => 0,
        };
        let templates = [
            r"<\g<0>>",
            r"\1",
            r"[\1\n]",
            r"\g<1>-\0",
            "x",
            r"\g<n1>",
            r"\2\\",
            r"\01",
        ];
        let template = self.pick(&templates).to_owned();
        Case {
            pattern,
            flags,
            texts,
            template,
            count: if self.one_in(3) { 1 + self.below(2) } else { 0 },
        }
    }

    /// A pattern with a character removed, doubled or put in, and a template of the same kind.
    pub(crate) fn damaged(&mut self) -> Case {
        const NOISE: [&str; 34] = [
            "(", ")", "[", "]", "{", "}", "*", "+", "?", "\\", "|", "^", "$", "-", "(?", "(?P", "(?P<",
            "(?P=n1)", "(?i)", "(?x)", "(?-i:", "(?(1)", "(?<", "{2,1}", "\\8", "\\x1", "\\N", "\\q", "(?#",
            "#", " ", "(?a", "\\400", "é",
        ];
        let mut case = self.case();
        for _ in 0..1 + self.below(3) {
            case.pattern = self.damage(&case.pattern, &NOISE);
        }
        if self.one_in(5) {
            case.flags |= 64;
        }
        const TEMPLATE: [&str; 16] = [
            "\\", "\\g", "<", ">", "\\1", "\\9", "\\g<", "\\g<9>", "\\g<n1>", "\\q", "\\400", "\\07",
            "\\g<1a>", "\\.", "\\g<>", "\\b",
        ];
        case.template = (0..2).map(|_| self.pick(&TEMPLATE)).collect();
        case.texts.truncate(2);
        case
    }

    fn damage(&mut self, pattern: &str, noise: &[&str]) -> String {
        let chars: Vec<char> = pattern.chars().collect();
        let at = self.below(chars.len() + 1);
        let (before, mut after) = (chars[..at].iter().collect::<String>(), &chars[at..]);
        let mut added = "";
        if self.one_in(3) {
            after = after.get(1..).unwrap_or_default();
        } else {
            added = self.pick(noise);
        }
        before + added + &after.iter().collect::<String>()
    }

    fn pattern(&mut self) -> String {
        self.opened = 0;
        self.closed.clear();
        self.budget = 4 + self.below(14);
        let mut pattern = String::new();
        if self.one_in(10) {
            pattern.push_str(self.pick(&["(?i)", "(?m)", "(?s)", "(?a)", "(?im)", "(?x)", "(?u)"]));
        }
        pattern.push_str(&self.alternation(3));
        pattern
    }

    fn alternation(&mut self, depth: usize) -> String {
        let branches = match self.below(6) {
            0 => 2,
            1 => 1 + self.below(3),
            _ => 1,
        };
        (0..branches)
            .map(|_| self.sequence(depth))
            .collect::<Vec<_>>()
            .join("|")
    }

    fn sequence(&mut self, depth: usize) -> String {
        let mut out = String::new();
        for _ in 0..self.below(5) {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            let (atom, repeatable) = self.atom(depth);
            out.push_str(&atom);
            if repeatable && self.one_in(2) {
                out.push_str(self.pick(&[
                    "*", "+", "?", "*", "+", "?", "{2}", "{1,2}", "{,2}", "{2,}", "{0}", "{0,1}", "{1}",
                    "{3}",
                ]));
                out.push_str(self.pick(&["", "", "", "?", "?"]));
                if self.one_in(40) {
                    out.push('+');
                }
            }
        }
        out
    }

    fn atom(&mut self, depth: usize) -> (String, bool) {
        match self.below(if depth == 0 { 14 } else { 28 }) {
            0..=6 => (self.pick(&LETTERS).to_owned(), true),
            7 => (".".to_owned(), true),
            8 => (
                self.pick(&["^", "$", "\\b", "\\B", "\\A", "\\Z", "$", "\\b"])
                    .to_owned(),
                false,
            ),
            9 | 10 => (
                self.pick(&["\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\n", "\\x61"])
                    .to_owned(),
                true,
            ),
            11 | 12 => (self.class(), true),
            13 => match self.closed.len() {
                0 => ("a".to_owned(), true),
                closed => {
                    let at = self.below(closed);
                    let group = self.closed[at];
                    let by_name = group % 2 == 1 && self.one_in(2);
                    (
                        if by_name {
                            format!("(?P=n{group})")
                        } else {
                            format!("(?:\\{group})")
                        },
                        true,
                    )
                }
            },
            14..=19 => (self.group(depth), true),
            20..=22 => (format!("(?:{})", self.alternation(depth - 1)), true),
            23 => {
                let kind = self.pick(&["(?=", "(?!"]);
                (format!("{kind}{})", self.alternation(depth - 1)), self.one_in(4))
            }
            24 => {
                let kind = self.pick(&["(?<=", "(?<!"]);
                let body = self.pick(&[
                    "a",
                    "ab",
                    "\\b",
                    "^",
                    "[ab]",
                    "a|b",
                    "\\w\\n",
                    "",
                    "(?:ab|bc)",
                    "\\Bs",
                ]);
                (format!("{kind}{body})"), false)
            }
            25 => {
                let flags = self.pick(&["i", "-i", "s", "m", "a", "s-i", "i-s", "-m", "u"]);
                (format!("(?{flags}:{})", self.alternation(depth - 1)), true)
            }
            26 => match self.opened {
                0 => (self.group(depth), true),
                opened => {
                    let group = 1 + self.below(opened);
                    let (yes, no) = (self.sequence(depth - 1), self.sequence(depth - 1));
                    (
                        if self.one_in(3) {
                            format!("(?({group}){yes})")
                        } else {
                            format!("(?({group}){yes}|{no})")
                        },
                        true,
                    )
                }
            },
            _ => match self.one_in(3) {
                true => (format!("(?>{})", self.alternation(depth - 1)), true),
                false => (format!("(?:{})", self.alternation(depth - 1)), true),
            },
        }
    }

    fn group(&mut self, depth: usize) -> String {
        self.opened += 1;
        let group = self.opened;
        let body = self.alternation(depth - 1);
        self.closed.push(group);
        if group % 2 == 1 {
            format!("(?P<n{group}>{body})")
        } else {
            format!("({body})")
        }
    }

    fn class(&mut self) -> String {
        let mut out = String::from(if self.one_in(3) { "[^" } else { "[" });
        for _ in 0..1 + self.below(3) {
            out.push_str(self.pick(&[
                "a",
                "b",
                "a-c",
                "A-Z",
                "\\d",
                "\\w",
                "\\s",
                "\\W",
                "é",
                "\\n",
                "-",
                "À-ö",
                "s",
                "K",
                "σ",
                "\\x00-~",
                "ı",
                "\\D",
                "😀",
                "0-9",
                "_",
                "\\u0100-\\u024f",
            ]));
        }
        out + "]"
    }
}
