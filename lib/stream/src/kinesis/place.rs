//! A place in a shard, and its form as the checkpoint of a lease.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where the reading of a shard begins or goes on.
///
/// As text: `TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP@<millis>`, or `<sequence number>[#<index>][@<millis>]`. A bare
/// sequence number is what the Kinesis Client Library writes, so its checkpoints can be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// At the oldest record there is.
    Horizon,
    /// After the newest record there is.
    Latest,
    /// At the first record that arrived at this time or later, in milliseconds since 1970.
    Moment(i64),
    /// After a record.
    After {
        /// Its sequence number.
        sequence: Arc<str>,
        /// Of an aggregate: after this of its records, not after all.
        index: Option<u32>,
        /// Everything that arrived before this is behind, in milliseconds since 1970; `None` when unknown.
        covered_millis: Option<i64>,
    },
}

impl Place {
    /// Reads a checkpoint; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "TRIM_HORIZON" => return Some(Self::Horizon),
            "LATEST" => return Some(Self::Latest),
            _ => {}
        }
        let (place, millis) = match text.split_once('@') {
            Some((place, millis)) => (place, Some(millis.parse().ok()?)),
            None => (text, None),
        };
        if place == "AT_TIMESTAMP" {
            return millis.map(Self::Moment);
        }
        let (sequence, index) = match place.split_once('#') {
            Some((sequence, index)) => (sequence, Some(index.parse().ok()?)),
            None => (place, None),
        };
        let digits = sequence.len() <= 128 && !sequence.is_empty();
        (digits && sequence.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self::After {
            sequence: sequence.into(),
            index,
            covered_millis: millis,
        })
    }

    /// Everything that arrived before this is behind.
    pub(super) const fn covered_millis(&self) -> Option<i64> {
        match self {
            Self::Moment(millis) => Some(*millis),
            Self::After { covered_millis, .. } => *covered_millis,
            Self::Horizon | Self::Latest => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Horizon => f.write_str("TRIM_HORIZON"),
            Self::Latest => f.write_str("LATEST"),
            Self::Moment(millis) => write!(f, "AT_TIMESTAMP@{millis}"),
            Self::After {
                sequence,
                index,
                covered_millis,
            } => {
                f.write_str(sequence)?;
                if let Some(index) = index {
                    write!(f, "#{index}")?;
                }
                if let Some(millis) = covered_millis {
                    write!(f, "@{millis}")?;
                }
                Ok(())
            }
        }
    }
}

/// A stretch of time of which records may be gone unread, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) from_millis: i64,
    pub(super) to_millis: i64,
}

impl Gap {
    pub(super) fn hours(self) -> f64 {
        const MILLIS: f64 = 3_600_000.0;
        #[expect(clippy::cast_precision_loss, reason = "hours are rounded for people anyway")]
        let millis = (self.to_millis - self.from_millis) as f64;
        millis / MILLIS
    }
}

/// How far our clock and the trimming of Kinesis may be off before a loss is claimed.
const TOLERANCE_MILLIS: i64 = 5 * 60 * 1000;

/// What the retention took before it was read.
///
/// Kinesis says nothing when a place is older than what it keeps: reading goes on at the oldest record. So the time
/// before which everything had been read is compared with what is kept. `first_millis` is the arrival of the next
/// record, if there is one: one that is older than the retention shows that trimming has not come so far.
pub(super) fn gap(
    covered_millis: Option<i64>,
    first_millis: Option<i64>,
    now_millis: i64,
    retention: Duration,
) -> Option<Gap> {
    let from_millis = covered_millis?;
    let retention = i64::try_from(retention.as_millis()).ok()?;
    let horizon = now_millis.checked_sub(retention)?;
    let edge = horizon - TOLERANCE_MILLIS;
    if from_millis >= edge || first_millis.is_some_and(|first| first < edge) {
        return None;
    }
    let to_millis = first_millis.unwrap_or(horizon);
    (to_millis > from_millis).then_some(Gap {
        from_millis,
        to_millis,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn places() -> impl Strategy<Value = Place> {
        let after = ("[0-9]{1,56}", any::<Option<u32>>(), any::<Option<i64>>());
        prop_oneof![
            Just(Place::Horizon),
            Just(Place::Latest),
            any::<i64>().prop_map(Place::Moment),
            after.prop_map(|(sequence, index, covered_millis)| Place::After {
                sequence: sequence.into(),
                index,
                covered_millis,
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_place_survives_being_written(place in places()) {
            prop_assert_eq!(Place::parse(&place.to_string()), Some(place));
        }

        #[test]
        fn hostile_checkpoints_are_refused_or_read(text in ".{0,60}") {
            if let Some(place) = Place::parse(&text) {
                prop_assert_eq!(Place::parse(&place.to_string()), Some(place));
            }
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in [
            "",
            "SHARD_END",
            "abc",
            "12#",
            "12@",
            "12#x",
            "#1",
            "AT_TIMESTAMP",
            "-1",
            "12 ",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        assert_eq!(Place::parse(&"1".repeat(129)), None);
    }

    #[test]
    fn records_are_lost_when_the_place_is_older_than_what_is_kept() {
        let now = 1000 * HOUR;
        let lost = gap(Some(now - 30 * HOUR), Some(now - 23 * HOUR), now, DAY).unwrap();
        assert_eq!(
            (lost.from_millis, lost.to_millis),
            (now - 30 * HOUR, now - 23 * HOUR)
        );
        assert!((lost.hours() - 7.0).abs() < 1e-9);
        // Nothing is there any more: everything up to the retention may be gone.
        let lost = gap(Some(now - 30 * HOUR), None, now, DAY).unwrap();
        assert_eq!(lost.to_millis, now - 24 * HOUR);
    }

    #[test]
    fn nothing_is_lost_while_what_follows_is_kept_or_the_place_is_unknown() {
        let now = 1000 * HOUR;
        assert_eq!(gap(Some(now - 23 * HOUR), Some(now), now, DAY), None);
        assert_eq!(gap(Some(now - 24 * HOUR - 1), Some(now), now, DAY), None);
        // Trimming lags: the next record is older than the retention and still there.
        assert_eq!(gap(Some(now - 30 * HOUR), Some(now - 29 * HOUR), now, DAY), None);
        assert_eq!(gap(None, Some(now), now, DAY), None);
        assert_eq!(gap(Some(i64::MIN), Some(i64::MIN), i64::MIN, DAY), None);
    }
}
