//! What works but may not be meant; and that secrets stay secret.

use super::super::{Secret, load};
use super::{given, report};
use crate::cli::config_check::check;

fn warnings(file: &str, env: &[(&str, &str)]) -> String {
    let loaded = load(&given(file, env).sources).unwrap_or_else(|report| panic!("{report}"));
    loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const LITERALS: &str = "[http]\ntoken = \"canary-http\"\n\
    [store]\nurl = \"postgres://ann:canary-db@host/db\"\n\
    [channels.telegram.main]\ntoken = \"1:canary-bot\"\n\
    [models.main]\nprovider = \"openai\"\napi_key = \"canary-key\"\n";

#[test]
fn literal_secrets_are_warned_of_and_shown_nowhere() {
    let text = warnings(LITERALS, &[]);
    insta::assert_snapshot!(text, @r#"
    roundtable.toml:2: http.token: the secret itself is in the file; write `token = "env:NAME"` or `"file:PATH"`
    roundtable.toml:4: store.url: the secret itself is in the file; write `url = "env:NAME"` or `"file:PATH"`
    roundtable.toml:6: channels.telegram.main.token: the secret itself is in the file; write `token = "env:NAME"` or `"file:PATH"`
    roundtable.toml:9: models.main.api_key: the secret itself is in the file; write `api_key = "env:NAME"` or `"file:PATH"`
    "#);
    let given = given(LITERALS, &[]);
    let shown = format!("{text}{:?}{}", load(&given.sources).unwrap(), check(&given.sources).0);
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_report_shows_no_secret() {
    let file = format!(
        "{LITERALS}base_url = \"canary\"\n[channels.telegram.two]\ntokn = \"1:canary-bot\"\n\
        [node]\nmax_turns = \"canary\"\n"
    );
    let env = [("ROUNDTABLE_HTTP__TOKEN", "canary"), ("ROUNDTABLE_STORE__URL", "canary")];
    assert!(!report(&file, &env).contains("canary"), "{}", report(&file, &env));
    let secret = Secret::from("canary".to_owned());
    assert_eq!((format!("{secret:?}").as_str(), secret.expose()), ("<secret>", "canary"));
}

#[test]
fn what_must_not_be_shown_is_known() {
    let file = "[http]\ntoken = \"one\"\n[store]\nurl = \"postgres://ann:two@host/db\"\n\
        [models.main]\nprovider = \"openai\"\nmodel = \"m\"\napi_key = \"three\"\n\
        [channels.telegram.main]\ntoken = \"4:four\"\n[channels.discord.main]\ntoken = \"five\"\n";
    let config = load(&given(file, &[]).sources).unwrap().config;
    let mut secrets: Vec<_> = config.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
    secrets.sort();
    assert_eq!(secrets, ["4:four", "five", "one", "three", "two"]);
}

#[test]
fn secrets_from_elsewhere_are_no_matter() {
    let file = "[http]\ntoken = \"env:T\"\n[store]\nurl = \"postgres://ann@host/db\"\n";
    let env = [("T", "hush"), ("ROUNDTABLE_MODELS__MAIN__API_KEY", "hush"), ("ANTHROPIC_API_KEY", "k")];
    assert_eq!(warnings(file, &env), "");
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    let given = given("[http]\ntoken = \"hush\"\n", &[]);
    let path = given.folder.path().join("roundtable.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let warnings = load(&given.sources).unwrap().warnings;
    insta::assert_snapshot!(warnings[0], @r#"
    roundtable.toml: holds secrets and other users can read it; run `chmod 600 roundtable.toml`
    "#);
    assert_eq!(warnings.len(), 2);
}

#[test]
fn a_group_open_to_everyone_everywhere_is_warned_of() {
    let env = [("TELEGRAM_BOT_TOKEN", "1:a")];
    let file = "[channels.telegram.main]\ngroups = [\"*\"]\n";
    insta::assert_snapshot!(warnings(file, &env), @r#"
    roundtable.toml:2: channels.telegram.main.groups: every member of every group that the bot is put into can use the agents; to change that: [channels.telegram.main.group."*"] senders = "known"
    "#);
    let known = format!("{file}[channels.telegram.main.group.\"*\"]\nsenders = \"known\"\n");
    assert_eq!(warnings(&known, &env), "");
}

#[test]
fn a_variable_that_is_almost_an_override_is_warned_of() {
    let env = [
        ("ROUNDTABLE_NODE_LEASE", "20s"),
        ("ROUNDTABLE_HTTP_TOKEN", "t"),
        ("ROUNDTABLE_AGENTS_KEY", "k"),
        ("ROUNDTABLE_LOG", "debug"),
    ];
    insta::assert_snapshot!(warnings(
        "[models.main]\nprovider = \"openai\"\napi_key = \"env:ROUNDTABLE_AGENTS_KEY\"\n",
        &env
    ), @r#"
    ROUNDTABLE_NODE_LEASE: is not read; did you mean `ROUNDTABLE_NODE__LEASE`?
    "#);
}

#[test]
fn check_says_what_would_start() {
    let (text, code) =
        check(&given("", &[("TELEGRAM_BOT_TOKEN", "1:a"), ("ANTHROPIC_API_KEY", "k")]).sources);
    assert_eq!(code, 0);
    insta::assert_snapshot!(text, @r#"
    ok: defaults and environment, no file
    agents: coder, manager, researcher
    models: main (anthropic/claude-sonnet-5)
    accounts: telegram:main, local:main
    "#);
    let (text, code) = check(&given("[node]\nleese = \"1s\"\n", &[]).sources);
    assert_eq!(code, 78);
    insta::assert_snapshot!(text, @r#"
    error: roundtable.toml:2: node.leese: unknown key; did you mean `lease`?
    1 error in the configuration
    "#);
}
