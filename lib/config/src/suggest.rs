/// How many names a hint lists at most; more would bury the complaint.
const LISTED_MAX: usize = 12;

/// The candidate that `word` was probably meant to be.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance_max = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The fix for an unknown `word`: the nearest candidate, or what there is to choose from.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(nearest) = nearest(word, candidates.clone()) {
        return format!("did you mean {nearest:?}?");
    }
    let all: Vec<&str> = candidates.into_iter().collect();
    match all.len() {
        0 => "remove it".to_owned(),
        1..=LISTED_MAX => format!("expected {}", all.join(", ")),
        more => format!(
            "expected {} or one of {} more",
            all[..LISTED_MAX].join(", "),
            more - LISTED_MAX
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_missing_and_miscased_letters_are_forgiven_and_other_words_are_not() {
        let words = ["cloudtrail", "cloudwatch", "osquery"];
        assert_eq!(nearest("clodtrail", words), Some("cloudtrail"));
        assert_eq!(nearest("CloudWacth", words), Some("cloudwatch"));
        assert_eq!(nearest("pan", words), None);
        assert_eq!(
            did_you_mean("pan", words),
            "expected cloudtrail, cloudwatch, osquery"
        );
    }
}
