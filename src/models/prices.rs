//! What a call costs.

/// What a model costs, US dollars for a million tokens; that number is also micro-dollars a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// Fresh input.
    pub input: f64,
    /// Output, thinking included.
    pub output: f64,
    /// What a token read from the provider's cache costs, as a part of `input`: 0.1 is a tenth.
    pub cached_fraction: f64,
}

/// The tokens of one call, by what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Everything read; `cached` and `cache_written` are parts of it.
    pub input: u64,
    /// Read from the provider's cache.
    pub cached: u64,
    /// Written to the provider's cache, where that costs extra (Anthropic).
    pub cache_written: u64,
    /// Everything written.
    pub output: u64,
}

/// A token written to Anthropic's five-minute cache costs this much of a fresh one.
/// Source: Anthropic's documentation of prompt caching, "Pricing".
const CACHE_WRITE: f64 = 1.25;

impl Prices {
    /// The price of one call in millionths of a US dollar, rounded up so that no call is free of charge
    /// to a budget.
    pub fn cost_micros(&self, spent: Spent) -> u64 {
        let fresh = spent.input.saturating_sub(spent.cached).saturating_sub(spent.cache_written);
        let input = fresh as f64
            + spent.cached as f64 * self.cached_fraction
            + spent.cache_written as f64 * CACHE_WRITE;
        (input * self.input + spent.output as f64 * self.output).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices { input: 3.0, output: 15.0, cached_fraction: 0.1 };

    #[test]
    fn a_million_tokens_cost_the_listed_dollars() {
        assert_eq!(PRICES.cost_micros(Spent { input: 1_000_000, ..Spent::default() }), 3_000_000);
        assert_eq!(PRICES.cost_micros(Spent { output: 1_000_000, ..Spent::default() }), 15_000_000);
    }

    #[test]
    fn cached_input_is_cheaper_and_writing_the_cache_dearer() {
        let spent = Spent { input: 1_000, cached: 600, cache_written: 400, output: 0 };
        // 600 * 0.1 * 3 + 400 * 1.25 * 3
        assert_eq!(PRICES.cost_micros(spent), 1_680);
    }

    #[test]
    fn a_fraction_of_a_micro_dollar_counts_as_one() {
        let cheap = Prices { input: 0.05, output: 0.2, cached_fraction: 0.5 };
        assert_eq!(cheap.cost_micros(Spent { input: 1, ..Spent::default() }), 1);
        assert_eq!(cheap.cost_micros(Spent::default()), 0);
    }

    #[test]
    fn a_provider_that_reports_more_cached_than_read_costs_no_underflow() {
        assert_eq!(PRICES.cost_micros(Spent { input: 10, cached: 20, ..Spent::default() }), 6);
    }
}
