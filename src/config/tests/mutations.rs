//! Whatever is done to a configuration, loading answers.

use proptest::prelude::*;

use super::super::layers::EMBEDDED;
use super::super::{Origin, load};
use super::given;
use crate::cli::config_check::{EX_CONFIG, check};

const VALUES: [&str; 12] = [
    "3",
    "-1",
    "nan",
    "true",
    "\"\"",
    "\"env:NOWHERE\"",
    "\"*\"",
    "[]",
    "[1, \"a\"]",
    "{ x = 1 }",
    "1979-05-27",
    "\"\u{e9}`, expected `x`\"",
];

const LINES: [&str; 10] = [
    "= 1",
    "\"\" = 1",
    "x",
    "[node]",
    "[[models]]",
    "[agents.Big]",
    "[agents.all]",
    "[channels.discord.main]",
    "\"a.b[7]\" = 1",
    "[[bindings]]",
];

/// What is done to one line.
#[derive(Debug, Clone)]
enum Change {
    Delete,
    Double,
    Value(&'static str),
    Misspell,
    Before(&'static str),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Delete),
        Just(Change::Double),
        prop::sample::select(&VALUES[..]).prop_map(Change::Value),
        Just(Change::Misspell),
        prop::sample::select(&LINES[..]).prop_map(Change::Before),
        (0..40usize).prop_map(Change::Cut),
    ]
}

fn apply(lines: &mut Vec<String>, at: usize, change: &Change) {
    let at = at % lines.len();
    let line = lines[at].clone();
    match change {
        Change::Delete => lines[at].clear(),
        Change::Double => lines.insert(at, line),
        Change::Value(value) => lines[at] = format!("{} = {value}", line.split('=').next().unwrap_or("")),
        Change::Misspell => lines[at] = line.replacen('e', "", 1),
        Change::Before(text) => lines.insert(at, (*text).to_owned()),
        Change::Cut(length) => lines[at] = line.chars().take(*length).collect(),
    }
}

/// The default file with all its keys, without the prose.
fn keys() -> Vec<String> {
    EMBEDDED
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.trim_start_matches('#').to_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn check_and_load_agree_and_name_a_line(
        changes in prop::collection::vec((any::<usize>(), change()), 1..4),
        variable in prop::option::of(("ROUNDTABLE_[A-Z_]{1,20}", ".{0,9}")),
    ) {
        let mut lines = keys();
        for (at, change) in &changes {
            apply(&mut lines, *at, change);
        }
        let mut env = vec![("TELEGRAM_BOT_TOKEN", "1:a"), ("ANTHROPIC_API_KEY", "k"), ("ROUNDTABLE_HTTP_TOKEN", "t")];
        env.extend(variable.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let file = lines.join("\n");
        let given = given(&file, &env);
        let (text, code) = check(&given.sources);
        match load(&given.sources) {
            Ok(_) => prop_assert!(code == 0 && text.starts_with("ok: "), "{text}"),
            Err(report) => {
                prop_assert_eq!(code, EX_CONFIG);
                prop_assert!(!report.errors.is_empty());
                for error in &report.errors {
                    prop_assert!(text.contains(&error.to_string()), "{error} is missing in\n{text}");
                    if let Origin::File { line: Some(line), .. } = error.origin {
                        prop_assert!((1..=lines.len() + 1).contains(&line), "{error}");
                    }
                }
            }
        }
        let left: Vec<_> = std::fs::read_dir(given.folder.path()).unwrap().collect();
        prop_assert_eq!(left.len(), 1, "loading wrote a file");
        prop_assert_eq!(std::fs::read_to_string(given.folder.path().join("roundtable.toml")).unwrap(), file);
    }
}
