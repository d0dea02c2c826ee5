//! Takes the teeth out of agent text: nothing in it may notify a person, and no address is lost.

use std::ops::Range;

use roundtable_text::{Style, StyleSpan, Styled};
use url::Url;

/// Looks like nothing and ends a user name, so that Telegram sees no mention.
const BREAK: &str = "\u{200b}";

/// The text with bare `@name`s broken and with links that Telegram would not follow written out: it drops
/// the address behind a text unless it leads to a web page, and turns `tg://user?id=…` into a mention.
pub(crate) fn tame(styled: &Styled) -> Styled {
    let linked = styled.write_out_links(is_web);
    let mentions = mentions(&linked).into_iter().map(|at| (at, BREAK.to_owned())).collect();
    linked.insert(mentions)
}

fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// The places after every `@` that Telegram would take for the start of a mention: before a letter, digit
/// or `_`, not after one, and neither in code nor within a web address.
fn mentions(styled: &Styled) -> Vec<usize> {
    let text = &styled.text;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let code = code(&styled.spans);
    text.match_indices('@')
        .filter(|(at, _)| {
            let (before, after) = (&text[..*at], &text[at + 1..]);
            after.starts_with(is_word)
                && !before.ends_with(is_word)
                && !in_address(before)
                && !within(&code, *at)
        })
        .map(|(at, _)| at + 1)
        .collect()
}

/// Whether what ends here is a web address that has come to its path, as in `https://example.org/@name`:
/// Telegram sees the address there and no mention.
fn in_address(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let Some((scheme, rest)) = word.split_once("://") else { return false };
    let Some((host, path)) = rest.split_once('/') else { return false };
    let is = |text: &str, others: &str| text.chars().all(|c| c.is_alphanumeric() || others.contains(c));
    // a command, name or tag right before the scheme swallows it, and what remains is no address
    (scheme.ends_with("http") || scheme.ends_with("https"))
        && !scheme.contains(['/', '@', '#', '$'])
        && host.contains('.')
        && is(host, "-.:")
        && is(path, "-._~%+:/?=&#@")
}

/// The stretches of code, in order and apart.
fn code(spans: &[StyleSpan]) -> Vec<Range<usize>> {
    let is_code = |span: &&StyleSpan| matches!(span.style, Style::Code | Style::Pre { .. });
    spans.iter().filter(is_code).map(|span| span.start..span.end).collect()
}

fn within(stretches: &[Range<usize>], at: usize) -> bool {
    let next = stretches.partition_point(|stretch| stretch.end <= at);
    stretches.get(next).is_some_and(|stretch| stretch.start <= at)
}

#[cfg(test)]
mod tests {
    use roundtable_text::parse;

    use super::*;

    fn tamed(markdown: &str) -> Styled {
        tame(&parse(markdown).to_styled())
    }

    #[test]
    fn bare_mentions_are_broken_and_nothing_else() {
        for (markdown, expected) in [
            ("@ann", "@\u{200b}ann"),
            ("hi @ann, (@bob) .@cid", "hi @\u{200b}ann, (@\u{200b}bob) .@\u{200b}cid"),
            ("/@d1 @@eve @_f @Жук", "/@\u{200b}d1 @@\u{200b}eve @\u{200b}_f @\u{200b}Жук"),
            ("ann@example.org a_@b @ x @", "ann@example.org a_@b @ x @"),
            (
                "https://a.example/@ann (http://a.example/x?to=@bob)",
                "https://a.example/@ann (http://a.example/x?to=@bob)",
            ),
            (
                "https://@ann x://a.b/@bob https://a.b,@cid",
                "https://@\u{200b}ann x://a.b/@\u{200b}bob https://a.b,@\u{200b}cid",
            ),
            ("see:https://a.b/@ann", "see:https://a.b/@ann"),
            (
                "/start@bothttps://a.b/@ann #https://a.b/@bob",
                "/start@bothttps://a.b/@\u{200b}ann #https://a.b/@\u{200b}bob",
            ),
            ("`@ann` @bob", "@ann @\u{200b}bob"),
            ("```\n@ann\n```", "@ann"),
        ] {
            assert_eq!(tamed(markdown).text, expected, "{markdown}");
        }
    }

    #[test]
    fn taming_twice_changes_nothing() {
        let once = tamed("@ann **@bob** [x](tg://user?id=5) [@cid](y)");
        assert_eq!(tame(&once), once);
    }

    #[test]
    fn links_that_lead_nowhere_are_written_out() {
        let got = tamed("[ann](tg://user?id=5), **[doc](docs/a.md)** and [site](https://a.example)");
        assert_eq!(got.text, "ann (tg://user?id=5), doc (docs/a.md) and site");
        let stretches: Vec<_> = got.spans.iter().map(|span| &got.text[span.start..span.end]).collect();
        assert_eq!(stretches, ["doc", "site"]);
        assert_eq!(tamed("<ann@example.org>").text, "ann@example.org");
    }

    #[test]
    fn stretches_move_along() {
        let got = tamed("@a **x @b** `@c` *@d*");
        let stretches: Vec<_> = got.spans.iter().map(|span| &got.text[span.start..span.end]).collect();
        assert_eq!(stretches, ["x @\u{200b}b", "@c", "@\u{200b}d"]);
    }
}
