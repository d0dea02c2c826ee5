//! The invariants of ARCHITECTURE.md that can be read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// No file of ours is longer than this; most have half of it.
const LONGEST_FILE: usize = 600;

/// A file of the repository: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Its lines outside comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_start()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust source and manifest of the workspace.
fn sources(wanted: fn(&str) -> bool) -> Vec<Source> {
    let mut folders: Vec<PathBuf> =
        ["src", "adapters", "tests", "xtask", "benches"].iter().map(|name| root().join(name)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            if wanted(&name) {
                found.push(Source { text: text(&name), path: name });
            }
        }
    }
    assert!(!found.is_empty(), "nothing was found to look at");
    found
}

/// The manifest of the workspace.
fn manifest() -> Source {
    Source { path: "Cargo.toml".into(), text: text("Cargo.toml") }
}

fn rust(name: &str) -> bool {
    name.ends_with(".rs")
}

/// Fails with every line of code outside `allowed` that contains one of `words`.
fn only_in(words: &[&str], allowed: &[&str]) {
    let mut wrong = Vec::new();
    for source in sources(rust).iter().filter(|source| !source.is_in(allowed)) {
        let lines = source.code().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        wrong.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", source.path)));
    }
    assert!(wrong.is_empty(), "only in {allowed:?}:\n{}", wrong.join("\n"));
}

/// This file names what it forbids.
const THIS: &str = "tests/invariants.rs";

#[test]
fn a_platform_s_library_stays_in_its_adapter() {
    only_in(&["teloxide::", "use teloxide"], &["adapters/telegram/", THIS]);
    only_in(&["serenity::", "use serenity"], &["adapters/discord/", THIS]);
    for manifest in sources(|name| name.ends_with("Cargo.toml")) {
        for (library, adapter) in [("teloxide", "telegram"), ("serenity", "discord")] {
            let home = format!("adapters/{adapter}/");
            assert!(
                manifest.path.starts_with(&home) || !manifest.text.contains(library),
                "{}",
                manifest.path
            );
        }
    }
}

#[test]
fn sql_is_written_in_the_store_only() {
    only_in(&["sql!(", "sqlx::", "rusqlite::"], &["src/store/", "tests/"]);
}

/// The simulation gives the same story for the same seed only if no choice is left to chance.
#[test]
fn what_is_awaited_at_once_is_decided_in_an_order() {
    let mut choices = 0;
    let parts = ["src/engine/", "src/outbox/", "src/inbound/", "src/store/", "src/app/core.rs"];
    for source in sources(rust).iter().filter(|source| source.is_in(&parts)) {
        let mut lines = source.code();
        while let Some((number, line)) = lines.next() {
            if line.ends_with("select! {") {
                choices += 1;
                let next = lines.next().map(|(_, line)| line);
                assert_eq!(next, Some("biased;"), "{}:{number}", source.path);
            }
        }
    }
    assert!(choices > 5);
}

/// It may be set while the program runs: what is stored or compared follows clocks that go on.
#[test]
fn the_wall_clock_is_read_where_another_is_made_of_it() {
    only_in(&["SystemTime::now"], &["src/time.rs", "adapters/discord/src/clock.rs", "tests/", "xtask/"]);
}

#[test]
fn the_environment_is_read_in_one_place() {
    only_in(&["env::var", "env::set_var"], &["src/config/", "src/crash.rs", "tests/", "xtask/"]);
}

#[test]
fn nothing_is_left_to_do_and_no_lint_is_silenced() {
    only_in(&["todo!(", "unimplemented!(", "dbg!(", "#[ignore"], &[THIS]);
    only_in(&["#[allow(", "#![allow(", "#[expect(", "#![expect("], &[THIS]);
    for manifest in sources(|name| name.ends_with("Cargo.toml")).iter().chain([&manifest()]) {
        assert!(!manifest.text.contains("\"allow\""), "{} silences a lint", manifest.path);
    }
}

#[test]
fn adapters_know_the_contract_and_not_the_core() {
    for manifest in sources(|name| name.ends_with("Cargo.toml") && name.starts_with("adapters/")) {
        let manifest_of_the_core =
            |line: &str| line.starts_with("roundtable ") || line.starts_with("roundtable.");
        assert!(!manifest.text.lines().any(manifest_of_the_core), "{} depends on the core", manifest.path);
    }
}

#[test]
fn routing_is_pure() {
    let known = ["std::", "super::", "crate::routing", "roundtable_contract::", "serde::", "strsim::"];
    let mut imports = 0;
    let shipped = |name: &str| name.starts_with("src/routing/") && !name.contains("/tests/") && rust(name);
    for source in sources(shipped) {
        let before_tests = source.code().take_while(|(_, line)| *line != "#[cfg(test)]");
        for (number, line) in before_tests {
            assert!(!line.contains("async fn"), "{}:{number}: {line}", source.path);
            let Some(import) = line.strip_prefix("use ").or_else(|| line.strip_prefix("pub use ")) else {
                continue;
            };
            imports += 1;
            let own = import.starts_with(|first: char| first.is_ascii_lowercase())
                && known.iter().any(|known| import.starts_with(known));
            let child = source.path == "src/routing/mod.rs" && !import.contains("crate");
            assert!(own || child, "{}:{number}: {line}", source.path);
        }
        assert!(!source.text.contains("std::fs") && !source.text.contains("std::net"), "{}", source.path);
    }
    assert!(imports > 10);
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    for source in sources(rust) {
        let lines = source.text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", source.path);
    }
}

#[test]
fn the_check_of_a_change_is_the_readme_s_test_command() {
    let last = text(".ci/run").lines().last().map(str::to_owned).expect("it has lines");
    assert_eq!(last, "cargo xtask test");
    let readme = text("README.md");
    for command in [last.as_str(), "cargo run --release"] {
        assert!(readme.lines().any(|line| line == command), "the README has no line `{command}`");
    }
}

#[test]
fn every_transaction_is_in_the_table_of_transactions() {
    let map = text("ARCHITECTURE.md");
    let mut names = 0;
    for source in sources(|name| name.starts_with("src/") && rust(name)) {
        for (number, line) in source.code() {
            let Some(name) = line.strip_prefix("const NAME: &'static str = \"") else { continue };
            let name = name.trim_end_matches("\";");
            names += 1;
            let row = format!("| `{name}` |");
            assert!(map.lines().any(|line| line.starts_with(&row)), "{}:{number}: `{name}`", source.path);
        }
    }
    assert!(names > 10);
}

#[test]
fn every_test_in_the_table_of_faults_is_there() {
    let (table, mut names) = (text("tests/README.md"), 0);
    for name in table.split('`').skip(1).step_by(2).filter(|word| word.contains("::") && !word.contains('…'))
    {
        names += 1;
        let (module, test) = name.rsplit_once("::").expect("it has a module");
        let file = text(&format!("tests/{}.rs", module.replace("::", "/")));
        assert!(file.contains(&format!("fn {test}(")), "{name} is in the table and not in the tests");
    }
    assert!(names > 50);
}

#[test]
fn the_policy_on_dependencies_is_readable_and_says_what_it_must() {
    let policy: toml::Table = text("deny.toml").parse().expect("deny.toml is TOML");
    let banned = policy["bans"]["deny"].as_array().expect("a list");
    let of = |name: &str| banned.iter().find(|ban| ban["crate"].as_str() == Some(name));
    for library in ["serenity", "teloxide"] {
        assert_eq!(of(library).expect(library)["wrappers"].as_array().map(Vec::len), Some(1));
    }
    let lock: toml::Table = text("Cargo.lock").parse().expect("Cargo.lock is TOML");
    for package in lock["package"].as_array().expect("a list") {
        let name = package["name"].as_str().expect("a name");
        let alone = of(name).is_some_and(|ban| ban.get("wrappers").is_none());
        assert!(!alone, "{name} is banned and in Cargo.lock");
        let source = package.get("source").and_then(toml::Value::as_str);
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(source.is_none_or(|source| source == registry), "{name} comes from {source:?}");
    }
}
