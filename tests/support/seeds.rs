//! Seeds: how many are played, and which one failed.

/// Names the seed when a test fails.
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("ROUNDTABLE_PROVE_SEED={}", self.0);
        }
    }
}

/// The seeds to play: the one of `ROUNDTABLE_PROVE_SEED`; or so many, unless `variable` says how many, from that of
/// `ROUNDTABLE_PROVE_FROM` on, so that a long proof can be made in parts.
pub fn seeds(variable: &str, count: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("ROUNDTABLE_PROVE_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("ROUNDTABLE_PROVE_FROM").unwrap_or(1);
            (first..first + number(variable).unwrap_or(count)).collect()
        }
    }
}
