//! Python's regular expressions, read as `re` reads them: the same patterns are errors, with the same words
//! at the same place.

mod class;
mod escape;
mod group;
mod source;

pub(crate) use escape::{control, template_number};
pub(crate) use group::{check_name, group_number};
pub(crate) use source::{Source, Token, repr};

use crate::ast::{Greed, Node, Place, Width};
use crate::error::{CompileError, Invalid, Raised, invalid, untranslatable};
use crate::flags::{Flags, PyVersion};
use crate::limits::DEPTH_MAX;

/// The number that Python takes for "no maximum". A repetition of this many is an `OverflowError`.
const REPEAT_MAX: u64 = u32::MAX as u64;

/// A pattern that Python accepts.
pub(crate) struct Parsed {
    pub(crate) node: Node,
    /// The given flags and the inline ones; `UNICODE` or `ASCII` is set.
    pub(crate) flags: Flags,
    /// Capture groups, without group 0.
    pub(crate) groups: usize,
    /// In the order of their definition.
    pub(crate) names: Vec<(String, u32)>,
    /// Widths by group number, 0 being unused.
    pub(crate) group_widths: Vec<Option<Width>>,
}

/// Why parsing ended early.
enum Stop {
    Error(CompileError),
    /// `(?x)` was met too late (until 3.10): once more from the start, verbose.
    Verbose,
}

impl From<CompileError> for Stop {
    fn from(error: CompileError) -> Stop {
        Stop::Error(error)
    }
}

struct Parser {
    source: Source,
    version: PyVersion,
    flags: Flags,
    /// None while the group is open. Index 0 is the whole pattern, which never closes.
    group_widths: Vec<Option<Width>>,
    names: Vec<(String, u32)>,
    /// The number of groups where the outermost lookbehind began.
    lookbehind_groups: Option<usize>,
    /// Groups of conditionals by number, and where they are named: they may be defined later.
    forward: Vec<(u32, usize)>,
    depth: usize,
}

/// Parses a pattern.
pub(crate) fn parse(pattern: &str, flags: Flags, version: PyVersion) -> Result<Parsed, CompileError> {
    match Parser::new(pattern, flags, version)?.whole() {
        Ok(parsed) => Ok(parsed),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Verbose) => match Parser::new(pattern, flags | Flags::VERBOSE, version)?.whole() {
            Ok(parsed) => Ok(parsed),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Verbose) => Err(untranslatable(
                "flag x is switched on in a group that switched it off",
            )),
        },
    }
}

impl Parser {
    fn new(pattern: &str, flags: Flags, version: PyVersion) -> Result<Parser, CompileError> {
        Ok(Parser {
            source: Source::new(pattern)?,
            version,
            flags,
            group_widths: vec![None],
            names: Vec::new(),
            lookbehind_groups: None,
            forward: Vec::new(),
            depth: 0,
        })
    }

    fn whole(mut self) -> Result<Parsed, Stop> {
        let verbose = self.flags.has(Flags::VERBOSE);
        let node = self.alternation(verbose)?;
        self.flags = final_flags(self.flags)?;
        if self.source.peek().is_some() {
            return Err(self.source.error("unbalanced parenthesis", 0).into());
        }
        let groups = self.group_widths.len() - 1;
        for (group, position) in &self.forward {
            if *group as usize > groups {
                if self.version.minor < 9 {
                    return Err(untranslatable("a conditional names a group that does not exist").into());
                }
                return Err(invalid(format!("invalid group reference {group}"), *position).into());
            }
        }
        Ok(Parsed {
            node,
            flags: self.flags,
            groups,
            names: self.names,
            group_widths: self.group_widths,
        })
    }

    fn is_closed(&self, group: u32) -> bool {
        self.group_widths.get(group as usize).is_some_and(Option::is_some)
    }

    /// A lookbehind may refer only to groups that were closed before it began.
    fn check_lookbehind(&self, group: u32) -> Result<(), CompileError> {
        let Some(before) = self.lookbehind_groups else {
            return Ok(());
        };
        if !self.is_closed(group) {
            return Err(self.source.error("cannot refer to an open group", 0));
        }
        if group as usize >= before {
            let message = "cannot refer to group defined in the same lookbehind subpattern";
            return Err(self.source.error(message, 0));
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), CompileError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(untranslatable("groups are nested deeper than the limit"));
        }
        Ok(())
    }

    /// `a|b|c`
    fn alternation(&mut self, mut verbose: bool) -> Result<Node, Stop> {
        self.deeper()?;
        let outermost = self.depth == 1;
        let mut branches = Vec::new();
        loop {
            branches.push(self.sequence(verbose, outermost && branches.is_empty())?);
            if !self.source.take('|')? {
                break;
            }
            if outermost && self.version.minor >= 11 {
                verbose = self.flags.has(Flags::VERBOSE);
            }
        }
        self.depth -= 1;
        match branches.pop() {
            Some(only) if branches.is_empty() => Ok(only),
            last => {
                branches.extend(last);
                Ok(Node::Alternate(branches))
            }
        }
    }

    /// What stands between two `|`. `first` is true at the very start, where global flags may stand.
    fn sequence(&mut self, mut verbose: bool, first: bool) -> Result<Node, Stop> {
        let mut parts: Vec<Node> = Vec::new();
        loop {
            match self.source.peek_char() {
                Some('|' | ')') => break,
                None if self.source.peek().is_none() => break,
                _ => {}
            }
            let Some(token) = self.source.get()? else { break };
            let c = match token {
                Token::Escape(c) => {
                    let node = self.escape(c)?;
                    parts.push(node);
                    continue;
                }
                Token::Char(c) => c,
            };
            if verbose && self.skipped(c)? {
                continue;
            }
            match c {
                '[' => parts.push(class::class(&mut self.source)?),
                '.' => parts.push(Node::Any),
                '^' => parts.push(Node::Place(Place::Caret)),
                '$' => parts.push(Node::Place(Place::Dollar)),
                '(' => {
                    let at_start = first && parts.is_empty();
                    parts.extend(self.group(&mut verbose, at_start)?);
                }
                '*' | '+' | '?' | '{' => self.quantifier(c, &mut parts)?,
                _ => parts.push(Node::Literal(u32::from(c))),
            }
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                Ok(Node::Concat(parts))
            }
        }
    }

    /// Space and comments of a verbose pattern.
    fn skipped(&mut self, c: char) -> Result<bool, CompileError> {
        if matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c') {
            return Ok(true);
        }
        if c != '#' {
            return Ok(false);
        }
        while !matches!(self.source.get()?, None | Some(Token::Char('\n'))) {}
        Ok(true)
    }

    /// `*`, `+`, `?` or `{`, which may also be a plain character.
    fn quantifier(&mut self, c: char, parts: &mut Vec<Node>) -> Result<(), Stop> {
        let here = self.source.tell();
        let (min, max) = match c {
            '?' => (0, Some(1)),
            '*' => (0, None),
            '+' => (1, None),
            _ => match self.counted(here)? {
                Some(bounds) => bounds,
                None => {
                    parts.push(Node::Literal(u32::from(c)));
                    return Ok(());
                }
            },
        };
        let back = self.source.tell() - here + 1;
        let item = match parts.pop() {
            None | Some(Node::Place(_)) => return Err(self.source.error("nothing to repeat", back).into()),
            Some(Node::Repeat { .. }) => return Err(self.source.error("multiple repeat", back).into()),
            Some(item) => item,
        };
        let greed = if self.source.take('?')? {
            Greed::Lazy
        } else if self.version.minor >= 11 && self.source.take('+')? {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        parts.push(Node::Repeat {
            min,
            max,
            greed,
            body: Box::new(item),
        });
        Ok(())
    }

    /// The bounds of `{2,3}`; None when the brace is a plain character.
    fn counted(&mut self, here: usize) -> Result<Option<(u32, Option<u32>)>, Stop> {
        if self.source.peek_char() == Some('}') {
            return Ok(None);
        }
        let digit = |c: char| c.is_ascii_digit();
        let (mut low, mut high) = (String::new(), String::new());
        self.source.take_while(usize::MAX, digit, &mut low)?;
        if self.source.take(',')? {
            self.source.take_while(usize::MAX, digit, &mut high)?;
        } else {
            high.clone_from(&low);
        }
        if !self.source.take('}')? {
            self.source.seek(here)?;
            return Ok(None);
        }
        let min = if low.is_empty() { 0 } else { repeat_number(&low)? };
        let max = if high.is_empty() {
            None
        } else {
            Some(repeat_number(&high)?)
        };
        if max.is_some_and(|max| max < min) {
            let back = self.source.tell() - here;
            return Err(self
                .source
                .error("min repeat greater than max repeat", back)
                .into());
        }
        Ok(Some((min, max)))
    }
}

fn repeat_number(digits: &str) -> Result<u32, CompileError> {
    match digits.parse::<u64>() {
        Ok(number) if number < REPEAT_MAX => Ok(number as u32),
        _ => Err(CompileError::Invalid(Invalid {
            raised: Raised::OverflowError,
            message: "the repetition number is too large".to_owned(),
            position: None,
        })),
    }
}

/// The checks that Python makes after the parse.
fn final_flags(flags: Flags) -> Result<Flags, CompileError> {
    let refused = |message: &str| {
        CompileError::Invalid(Invalid {
            raised: Raised::ValueError,
            message: message.to_owned(),
            position: None,
        })
    };
    if flags.has(Flags::LOCALE) {
        return Err(refused("cannot use LOCALE flag with a str pattern"));
    }
    if !flags.has(Flags::ASCII) {
        return Ok(flags | Flags::UNICODE);
    }
    if flags.has(Flags::UNICODE) {
        return Err(refused("ASCII and UNICODE flags are incompatible"));
    }
    Ok(flags)
}
