use std::time::Duration;

use serde::Deserialize;

use crate::{Backoff, Rate};

/// How deliveries to one output are paced and when they are given up.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryOptions {
    /// Attempts under way at once. Bounds memory too: each holds its publication and the bytes of its request.
    pub concurrency: usize,
    /// Attempts per second; `None` = as fast as it takes them.
    pub rate: Option<Rate>,
    /// For one attempt, from its first byte to the answer.
    pub timeout: Duration,
    /// Between attempts of one delivery, and between probes of an output that is down.
    pub backoff: Backoff,
    /// A longer `Retry-After` is cut to this, so that a wrong header cannot silence an output for days.
    pub retry_after_max: Duration,
    /// Tried for so long since the dispatcher took it, a delivery becomes a dead letter. Counted anew after a
    /// restart: only time in which the output was really tried counts.
    pub dead_letter_after: Duration,
    /// Retryable failures in a row after which the output counts as down: from then on one delivery at a time
    /// probes it, the others wait.
    pub circuit_failures: u32,
    /// Deliveries taken and not settled. More wait at the caller; 4,096 keep any output busy and cost little.
    pub queue_items_max: usize,
    /// Bytes of the alerts of those, so that large records are bounded too. One larger alert passes alone.
    pub queue_bytes_max: usize,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            rate: None,
            timeout: Duration::from_secs(10),
            backoff: Backoff {
                first: Duration::from_secs(1),
                max: Duration::from_secs(60),
            },
            retry_after_max: Duration::from_secs(3600),
            dead_letter_after: Duration::from_secs(24 * 3600),
            circuit_failures: 5,
            queue_items_max: 4096,
            queue_bytes_max: 64 << 20,
        }
    }
}

/// What a configuration may say about the deliveries to one output; the rest is the service's default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryOverrides {
    /// See [`DeliveryOptions::concurrency`].
    pub concurrency: Option<usize>,
    /// Attempts per second in the long run.
    pub rate_per_sec: Option<f64>,
    /// Attempts that may go at once.
    pub burst: Option<u32>,
    /// Seconds for one attempt.
    pub timeout_secs: Option<f64>,
    /// Seconds before the second attempt.
    pub backoff_first_secs: Option<f64>,
    /// Seconds between attempts at most.
    pub backoff_max_secs: Option<f64>,
    /// Hours after which a delivery becomes a dead letter.
    pub dead_letter_after_hours: Option<f64>,
    /// See [`DeliveryOptions::queue_items_max`].
    pub queue_items_max: Option<usize>,
    /// See [`DeliveryOptions::queue_bytes_max`].
    pub queue_bytes_max: Option<usize>,
}

impl DeliveryOverrides {
    /// `options` with what is set here.
    ///
    /// # Errors
    /// One line naming the key whose value makes no sense.
    pub fn apply(&self, mut options: DeliveryOptions) -> Result<DeliveryOptions, String> {
        if let Some(concurrency) = self.concurrency {
            options.concurrency = at_least_one("concurrency", concurrency)?;
        }
        if let Some(items) = self.queue_items_max {
            options.queue_items_max = at_least_one("queue_items_max", items)?;
        }
        if let Some(bytes) = self.queue_bytes_max {
            options.queue_bytes_max = at_least_one("queue_bytes_max", bytes)?;
        }
        if let Some(per_sec) = self.rate_per_sec {
            if !(per_sec.is_finite() && per_sec > 0.0) {
                return Err(format!("rate_per_sec must be above 0, not {per_sec}"));
            }
            let burst = options.rate.map_or(1, |rate| rate.burst);
            options.rate = Some(Rate { per_sec, burst });
        }
        if let Some(burst) = self.burst {
            match &mut options.rate {
                Some(rate) => rate.burst = burst.max(1),
                None => return Err("burst without rate_per_sec has no effect".to_owned()),
            }
        }
        set_duration("timeout_secs", self.timeout_secs, 1.0, &mut options.timeout)?;
        set_duration(
            "backoff_first_secs",
            self.backoff_first_secs,
            1.0,
            &mut options.backoff.first,
        )?;
        set_duration(
            "backoff_max_secs",
            self.backoff_max_secs,
            1.0,
            &mut options.backoff.max,
        )?;
        let hours = self.dead_letter_after_hours;
        set_duration(
            "dead_letter_after_hours",
            hours,
            3600.0,
            &mut options.dead_letter_after,
        )?;
        Ok(options)
    }
}

fn at_least_one(key: &str, value: usize) -> Result<usize, String> {
    if value == 0 {
        Err(format!("{key} must be at least 1"))
    } else {
        Ok(value)
    }
}

fn set_duration(key: &str, value: Option<f64>, unit_secs: f64, into: &mut Duration) -> Result<(), String> {
    let Some(value) = value else { return Ok(()) };
    match Duration::try_from_secs_f64(value * unit_secs) {
        Ok(duration) if !duration.is_zero() => *into = duration,
        _ => return Err(format!("{key} must be above 0, not {value}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(json: &str) -> Result<DeliveryOptions, String> {
        let overrides: DeliveryOverrides = serde_json::from_str(json).map_err(|error| error.to_string())?;
        overrides.apply(DeliveryOptions::default())
    }

    #[test]
    fn what_is_not_set_stays() {
        assert_eq!(applied("{}").unwrap(), DeliveryOptions::default());
        let options = applied(r#"{"concurrency": 3, "rate_per_sec": 0.5, "timeout_secs": 1.5}"#).unwrap();
        assert_eq!(options.concurrency, 3);
        assert_eq!(
            options.rate,
            Some(Rate {
                per_sec: 0.5,
                burst: 1
            })
        );
        assert_eq!(options.timeout, Duration::from_millis(1500));
        assert_eq!(options.backoff, DeliveryOptions::default().backoff);
    }

    #[test]
    fn nonsense_is_refused_with_its_key() {
        for (json, key) in [
            (r#"{"concurrency": 0}"#, "concurrency"),
            (r#"{"rate_per_sec": -1}"#, "rate_per_sec"),
            (r#"{"timeout_secs": 0}"#, "timeout_secs"),
            (r#"{"burst": 3}"#, "burst"),
            (r#"{"dead_letter_after_hours": 1e300}"#, "dead_letter_after_hours"),
            (r#"{"concurency": 3}"#, "concurency"),
        ] {
            assert!(applied(json).unwrap_err().contains(key), "{json}");
        }
    }
}
