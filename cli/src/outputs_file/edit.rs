use std::ops::Range;

/// One element of a list, or one member of an object.
pub(super) struct Item {
    /// All of it, without commas and space around it.
    pub(super) whole: Range<usize>,
    /// What people call it: the member's name, or the element itself where it is a text.
    name: String,
    /// The member's value; the element itself.
    pub(super) value: Range<usize>,
}

/// A list or an object.
pub(super) struct Container {
    /// What is between its brackets.
    inside: Range<usize>,
    pub(super) items: Vec<Item>,
    pub(super) is_object: bool,
}

impl Container {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.items.iter().position(|item| item.name == name)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.name == name)
    }

    /// The member of this name; of several the last one, which is the one that counts in JSON.
    pub(super) fn member(&self, name: &str) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.name == name)
    }

    /// Where a new item goes: among sorted ones to its place, else to the end.
    fn place_for(&self, name: &str) -> usize {
        let is_sorted = self.items.is_sorted_by(|a, b| a.name <= b.name);
        if is_sorted {
            self.items.partition_point(|item| item.name.as_str() <= name)
        } else {
            self.items.len()
        }
    }
}

/// A JSON text whose parts are found without taking it apart.
pub(super) struct Text<'a> {
    text: &'a str,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The object that the text is.
    pub(super) fn root(&self) -> Result<Container, String> {
        let start = self.skip_space(0);
        let end = self.text.trim_end().len();
        let root = self.container(start..end)?;
        if root.is_object {
            Ok(root)
        } else {
            Err("expected an object of services".to_owned())
        }
    }

    /// The list or object at `range`.
    pub(super) fn container(&self, range: Range<usize>) -> Result<Container, String> {
        let bytes = self.text.as_bytes();
        let is_object = match bytes.get(range.start) {
            Some(b'{') => true,
            Some(b'[') => false,
            _ => return Err("expected a list or an object of descriptors".to_owned()),
        };
        let broken = || "the text is no JSON".to_owned();
        let mut items = Vec::new();
        let mut at = self.skip_space(range.start + 1);
        while at < range.end && !matches!(bytes.get(at), Some(b'}' | b']')) {
            let name_end = self.skip_value(at).ok_or_else(broken)?;
            let name = self.text.get(at..name_end).ok_or_else(broken)?;
            let name = serde_json::from_str::<String>(name).unwrap_or_default();
            let value = if is_object {
                let colon = self.skip_space(name_end);
                let start = self.skip_space(colon + 1);
                start..self.skip_value(start).ok_or_else(broken)?
            } else {
                at..name_end
            };
            let whole = at..value.end;
            if value.is_empty() {
                return Err(broken());
            }
            items.push(Item { whole, name, value });
            let last = items.last().map_or(at, |item| item.whole.end);
            at = self.skip_space(last);
            if bytes.get(at) == Some(&b',') {
                at = self.skip_space(at + 1);
            }
        }
        if at >= range.end {
            return Err(broken());
        }
        Ok(Container {
            inside: range.start + 1..at,
            items,
            is_object,
        })
    }

    /// Whether all of `container` is on one line, and not because there is nothing.
    pub(super) fn is_inline(&self, container: &Container) -> bool {
        !container.items.is_empty() && !self.of(&container.inside).contains('\n')
    }

    /// One step of indentation.
    pub(super) fn unit(&self, root: &Container) -> String {
        let first = root.items.first().map(|item| root.inside.start..item.whole.start);
        let space = first.map_or("", |space| self.of(&space));
        match space.rsplit_once('\n') {
            Some((_, indentation)) if !indentation.is_empty() => indentation.to_owned(),
            _ => "  ".to_owned(),
        }
    }

    /// The text with a new item, which is called `name`, in `container`; `outer` is how far the container's own line is
    /// indented, for one that is empty.
    pub(super) fn insert(&self, container: &Container, name: &str, item: &str, outer: &str) -> String {
        let place = container.place_for(name);
        if let Some(next) = container.items.get(place) {
            let space = self.space_before(container, place);
            let space = if space.is_empty() { " " } else { space };
            return self.with(next.whole.start..next.whole.start, &format!("{item},{space}"));
        }
        let Some(last) = container.items.last() else {
            let unit = if outer.is_empty() { "  " } else { outer };
            return self.with(
                container.inside.clone(),
                &format!("\n{outer}{unit}{item}\n{outer}"),
            );
        };
        let space = self.space_before(container, container.items.len() - 1);
        let space = if space.is_empty() { " " } else { space };
        self.with(last.whole.end..last.whole.end, &format!(",{space}{item}"))
    }

    /// The text without the item at `position`.
    pub(super) fn without(&self, container: &Container, position: usize) -> String {
        let end_of = |at: usize| container.items.get(at).map(|item| item.whole.end);
        let before = position.checked_sub(1).and_then(end_of);
        let after = container.items.get(position + 1).map(|item| item.whole.start);
        let Some(item) = container.items.get(position) else {
            return self.text.to_owned();
        };
        let range = match (before, after) {
            (Some(before), _) => before..item.whole.end,
            (None, Some(after)) => item.whole.start..after,
            (None, None) => container.inside.clone(),
        };
        self.with(range, "")
    }

    /// The text with `new` in the place of `range`.
    pub(super) fn with(&self, range: Range<usize>, new: &str) -> String {
        let mut text = self.text.to_owned();
        text.replace_range(range, new);
        text
    }

    fn space_before(&self, container: &Container, position: usize) -> &str {
        let item = container.items.get(position).map(|item| item.whole.start);
        let previous = position.checked_sub(1).and_then(|at| container.items.get(at));
        let start = previous.map_or(container.inside.start, |item| item.whole.end);
        let space = self.of(&(start..item.unwrap_or(start)));
        space.strip_prefix(',').unwrap_or(space)
    }

    fn of(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    fn skip_space(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len()
    }

    /// The end of the value that begins at `at`.
    fn skip_value(&self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let (mut at, mut depth, mut in_text) = (at, 0_usize, false);
        loop {
            let byte = *bytes.get(at)?;
            match byte {
                b'\\' if in_text => at += 1,
                b'"' => {
                    in_text = !in_text;
                    if !in_text && depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ if in_text => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return Some(at),
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return Some(at),
                _ => {}
            }
            at += 1;
        }
    }
}
