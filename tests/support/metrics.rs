//! What `/metrics` says, read as strictly as Prometheus reads it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use roundtable::app::{Running, token_path};
use roundtable_fakes::PATIENCE;

use super::world::World;

/// Every sample, by its name and labels as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    /// The sample of this name, which begins with `roundtable_`, and these labels.
    pub fn of(&self, sample: &str) -> u64 {
        let found = self.0.get(&format!("roundtable_{sample}"));
        *found.unwrap_or_else(|| panic!("there is no {sample} in {:#?}", self.0))
    }

    /// What was counted of an account's sends so far, without what never happened: `unknown`, how those ended, `failed`.
    pub fn sends(&self, account: &str) -> BTreeMap<&str, u64> {
        let account = format!("account=\"{account}\"");
        let of = |family: &str| format!("roundtable_{family}_total{{{account}");
        let ended = of("sends_reconciled");
        let all = self.0.iter().filter_map(|(sample, count)| {
            let what = match sample.strip_prefix(&ended) {
                Some(found) => found.strip_prefix(",found=\"")?.strip_suffix("\"}")?,
                None if *sample == of("deliveries_unknown") + "}" => "unknown",
                None if *sample == of("deliveries_failed") + "}" => "failed",
                None => return None,
            };
            Some((what, *count))
        });
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// Reads the text format 0.0.4, as far as it is used: every family once, with its help and its kind before its samples.
    fn read(text: &str) -> Self {
        let (mut samples, mut families) = (BTreeMap::new(), Vec::new());
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a family has a help");
                assert!(!help.contains('\\') && is_name(name) && !families.contains(&name), "{line}");
                families.push(name);
                continue;
            }
            let family = *families.last().unwrap_or_else(|| panic!("of what family is {line}?"));
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let counter = format!("{family} counter");
                assert!(
                    kind == format!("{family} gauge") || (kind == counter && family.ends_with("_total")),
                    "{line}"
                );
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line} has no value"));
            let labels = sample.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
            let labels = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}'));
            for label in labels.unwrap_or_else(|| panic!("{line} has no labels")).split(',') {
                let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("{label} is no label"));
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                assert!(is_name(name) && value.is_some_and(|value| !value.contains(['"', '\\'])), "{line}");
            }
            let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(samples.insert(sample.to_owned(), value), None, "{sample} is there twice");
        }
        Self(samples)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

impl World {
    /// What the node says now.
    pub async fn metrics(&self) -> Metrics {
        let (data_dir, client) = (self.data_dir(), reqwest::Client::builder().no_proxy());
        let url = Running::find(&data_dir).expect("a node runs").url;
        let token = std::fs::read_to_string(token_path(&data_dir)).expect("it has made a token");
        let request = client.build().expect("a client can be made").get(format!("{url}/metrics"));
        let answer = request.bearer_auth(token.trim()).send().await.expect("it answers");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Metrics::read(&answer.text().await.expect("it is a text"))
    }

    /// Waits until the node has counted exactly this of an account's sends: it counts a little later than it stores.
    pub async fn has_counted(&self, account: &str, expected: &[(&str, u64)]) -> Metrics {
        let expected = BTreeMap::from_iter(expected.iter().copied());
        self.until_metrics(&format!("{expected:?}"), |metrics| metrics.sends(account) == expected).await
    }

    /// Waits until `/metrics` says so.
    pub async fn until_metrics(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let end = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics().await;
            if holds(&metrics) {
                return metrics;
            }
            assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}; there is {metrics:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
