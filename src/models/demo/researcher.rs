//! The researcher: knows where the price of Bitcoin can be asked for, and that it has not looked.

use super::scene::Scene;

/// What it hands back for a task. The facts were written down from the services' public documentation.
pub(super) const FINDINGS: &str = "Use Coinbase's public spot price: one request, no key. (Demonstration: \
this was written beforehand and nothing was looked up, so check it before you rely on it.)

1. Coinbase, recommended: `GET https://api.coinbase.com/v2/prices/BTC-USD/spot` answers \
`{\"data\": {\"amount\": \"…\", \"base\": \"BTC\", \"currency\": \"USD\"}}`.
2. Kraken: `GET https://api.kraken.com/0/public/Ticker?pair=XBTUSD`; the last price is `c[0]` of the pair.
3. CoinGecko: `GET https://api.coingecko.com/api/v3/simple/price?ids=bitcoin&vs_currencies=usd` answers \
`{\"bitcoin\": {\"usd\": …}}`. Without a key it takes only a few requests a minute.

- Refresh: every 30 seconds is enough, and only while the page is visible.
- Caching: none in the browser; when a request fails, keep the last price and say that it is old.
- Uncertain: today's limits and terms of each service, and whether a browser may still ask it from any page.";

/// What it answers to a teammate's question.
pub(super) const ADVICE: &str = "Every 30 seconds, and only while the page is visible. When a request fails, \
keep the last price, show that it is old, and try again at the next interval. (Demonstration: from what I had \
written down; nothing was looked up.)";

/// Answers what somebody asks about its findings.
pub(super) fn answer(scene: &Scene<'_>) -> Option<String> {
    if scene.cued(&["how often", "refresh", "fails", "cache", "wie oft"]) {
        return Some(ADVICE.into());
    }
    let cues = ["bitcoin", "btc", "price", "source", "ticker", "found", "findings", "api", "quelle", "kurs"];
    scene.cued(&cues).then(|| FINDINGS.into())
}
