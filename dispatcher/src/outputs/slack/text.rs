//! Text as Slack's mrkdwn takes it.

/// Writes `text` into at most `chars_max` characters: `&`, `<` and `>` escaped (so that no record can mention
/// `<!channel>` or fake a link), control characters shown as U+FFFD. Answers what fits, and how many
/// characters of `text` were left out.
pub(super) fn escaped(text: &str, chars_max: usize) -> (String, usize) {
    let mut out = String::with_capacity(text.len().min(chars_max * 4));
    let mut used = 0;
    let mut chars = text.chars();
    for c in chars.by_ref() {
        let (piece, width) = match c {
            '&' => ("&amp;", 5),
            '<' => ("&lt;", 4),
            '>' => ("&gt;", 4),
            c if c.is_control() && c != '\n' && c != '\t' => ("\u{fffd}", 1),
            _ => ("", 1),
        };
        if used + width > chars_max {
            return (out, 1 + chars.count());
        }
        used += width;
        if piece.is_empty() {
            out.push(c)
        } else {
            out.push_str(piece)
        }
    }
    (out, 0)
}

/// [`escaped`], with the number of missing characters said at the end when there are any.
pub(super) fn escaped_within(text: &str, chars_max: usize) -> String {
    let (whole, missing) = escaped(text, chars_max);
    if missing == 0 {
        return whole;
    }
    let (mut cut, missing) = escaped(text, chars_max.saturating_sub(NOTE_CHARS));
    cut.push_str(&format!("… ({missing} more characters)"));
    cut
}

/// Room for the note about what is missing.
const NOTE_CHARS: usize = 40;

/// Text that is in Slack's markup already, cut visibly to `chars_max`.
pub(super) fn within(text: &str, chars_max: usize) -> String {
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let kept = chars_max.saturating_sub(NOTE_CHARS);
    let mut cut: String = text.chars().take(kept).collect();
    cut.push_str(&format!("… ({} more characters)", chars - kept));
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_cut_between_characters_never_inside_an_entity() {
        assert_eq!(
            escaped("<!channel> & \u{7}é", 100),
            ("&lt;!channel&gt; &amp; \u{fffd}é".to_owned(), 0)
        );
        for max in 0..30 {
            let (out, missing) = escaped("a<b>&c", max);
            assert!(out.chars().count() <= max);
            assert!(missing > 0 || max >= 16);
            assert_eq!(out.matches('&').count(), out.matches(';').count());
        }
        let long = "&".repeat(5000);
        let cut = escaped_within(&long, 3000);
        assert!(
            cut.chars().count() <= 3000 && cut.ends_with("more characters)"),
            "{cut}"
        );
        assert_eq!(escaped_within(&"x".repeat(3000), 3000).len(), 3000);
    }
}
