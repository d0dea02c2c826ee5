//! Which layer wins, and what stands in when there is none.

use std::fs;
use std::time::Duration;

use super::super::*;
use super::{given, loaded, report};

#[test]
fn without_anything_the_demo_model_sits_with_the_team() {
    let config = loaded("", &[]);
    assert_eq!(config.models.len(), 1);
    assert_eq!(config.models["main"].provider, Provider::Demo);
    assert!(config.channels.telegram.is_empty() && config.channels.local.enabled);
    let (id, manager) = config.default_agent().unwrap();
    assert_eq!((id, manager.name.as_str()), ("manager", "Manager"));
    assert_eq!(manager.subagents.allow, ["researcher", "coder"]);
    assert!(config.agents.values().all(|agent| agent.soul.contains("You are the")));
    assert!(config.http.token.is_none());
}

#[test]
fn two_variables_are_enough_to_start() {
    let env = [("TELEGRAM_BOT_TOKEN", "1:a"), ("OPENAI_API_KEY", " key\n"), ("GEMINI_API_KEY", "other")];
    let config = loaded("", &env);
    let Model { provider, model, api_key, .. } = &config.models["main"];
    assert_eq!((*provider, model.as_str()), (Provider::OpenAi, "gpt-5.6"));
    assert_eq!(api_key.as_ref().unwrap().expose(), "key");
    assert_eq!(config.channels.telegram["main"].token.expose(), "1:a");
    assert!(config.channels.discord.is_empty());
    assert_eq!(config.agents.len(), 3);
    let config = loaded("[node]\nname = \"a\"", &[("DISCORD_TOKEN", " a.b.c\n")]);
    let main = &config.channels.discord["main"];
    assert_eq!((main.token.expose(), main.guilds.as_slice()), ("a.b.c", ["*".to_owned()].as_slice()));
    assert!(config.channels.telegram.is_empty());
}

#[test]
fn the_first_provider_with_a_key_is_taken() {
    let variables = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY"];
    for (index, provider) in Provider::WITH_KEY.into_iter().enumerate() {
        let env: Vec<_> = variables[index..].iter().map(|name| (*name, "k")).collect();
        assert_eq!(loaded("", &env).models["main"].provider, provider);
    }
    let env = [("ANTHROPIC_API_KEY", ""), ("TELEGRAM_BOT_TOKEN", " ")];
    let config = loaded("", &env);
    assert_eq!(config.models["main"].provider, Provider::Demo, "an empty variable counted");
    assert!(config.channels.telegram.is_empty(), "an empty variable counted");
}

#[test]
fn a_base_url_and_a_model_can_come_from_the_environment() {
    let env = [
        ("ANTHROPIC_API_KEY", "k"),
        ("ROUNDTABLE_MODELS__MAIN__BASE_URL", "http://127.0.0.1:9/v1/"),
        ("ROUNDTABLE_MODELS__MAIN__MODEL", "4.5"),
    ];
    let main = loaded("", &env).models.remove("main").unwrap();
    assert_eq!(main.base_url.unwrap().as_str(), "http://127.0.0.1:9/v1");
    assert_eq!((main.provider, main.model.as_str()), (Provider::Anthropic, "4.5"));
    let env = [("ANTHROPIC_API_KEY", "k"), ("ROUNDTABLE_MODELS__MAIN__PROVIDER", "openrouter")];
    assert!(report("", &env).contains("the variable OPENROUTER_API_KEY is not set"));
}

#[test]
fn the_environment_wins_over_the_file_and_is_read_as_the_key_wants() {
    let file = "[node]\nlease = \"20s\"\npoll = \"3s\"\n[channels.telegram.main]\ntoken = \"env:T\"\n";
    let env = [
        ("T", "1:a"),
        ("ROUNDTABLE_NODE__LEASE", "30s"),
        ("ROUNDTABLE_NODE__NAME", "007"),
        ("ROUNDTABLE_NODE__MAX_TURNS", "7"),
        ("ROUNDTABLE_NODE__DRAIN", ""),
        ("ROUNDTABLE_CHANNELS__TELEGRAM__MAIN__GROUPS", "[-1001, \"-1002\"]"),
        ("ROUNDTABLE_CHANNELS__TELEGRAM__MAIN__LIMITS__CHAT_PER_SECOND", "0.5"),
        ("ROUNDTABLE_CHANNELS__LOCAL__ENABLED", "false"),
        ("ROUNDTABLE_AGENTS__MANAGER__QUEUE", "followup"),
    ];
    let config = loaded(file, &env);
    assert_eq!(config.node.lease, Duration::from_secs(30));
    assert_eq!(config.node.poll, Duration::from_secs(3));
    assert_eq!(config.node.renew, Duration::from_secs(5));
    assert_eq!(config.node.drain, Duration::from_secs(20));
    assert_eq!(config.node.name.as_deref(), Some("007"));
    assert_eq!(config.node.max_turns, 7);
    let main = &config.channels.telegram["main"];
    assert_eq!(main.groups, ["-1001", "-1002"]);
    assert!((main.limits.chat_per_second - 0.5).abs() < f64::EPSILON);
    assert!(!config.channels.local.enabled);
    assert_eq!(config.agents["manager"].queue, Queue::Followup);
    assert_eq!(config.agents.len(), 3, "one override took the team away");
}

#[test]
fn a_section_in_the_file_stands_alone() {
    let file =
        "[agents.writer]\ndefault = true\nsoul = \"agents/coder.md\"\n[models.main]\nprovider = \"demo\"\n";
    let config = loaded(file, &[("ANTHROPIC_API_KEY", "k")]);
    assert_eq!(config.agents.keys().collect::<Vec<_>>(), ["writer"]);
    assert_eq!(config.agents["writer"].name, "Writer");
    assert_eq!(config.models["main"].provider, Provider::Demo);
}

#[test]
fn files_are_looked_for_in_order() {
    let here = given("[node]\nname = \"cwd\"", &[]);
    let user = given("[node]\nname = \"user\"", &[]);
    let named = given("[node]\nname = \"named\"", &[]);
    let mut sources = here.sources.clone();
    sources.user_dir = Some(user.folder.path().to_owned());
    let name = |sources: &Sources| load(sources).unwrap().config.node.name.unwrap();
    assert_eq!(name(&sources), "cwd");
    sources.file = Some(named.folder.path().join("roundtable.toml"));
    assert_eq!(name(&sources), "named");
    sources.file = None;
    fs::remove_file(here.folder.path().join("roundtable.toml")).unwrap();
    assert_eq!(name(&sources), "user");
    sources.file = Some("missing.toml".into());
    let error = load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("error: missing.toml: can't be read"), "{error}");
}

#[test]
fn references_are_followed_from_the_files_folder() {
    let file = "[http]\ntoken = \"file:secrets/http\"\n[agents.manager]\ndefault = true\n[agents.poet]\nsoul = \"poet.md\"\n";
    let given = given(file, &[]);
    let folder = given.folder.path();
    fs::create_dir(folder.join("secrets")).unwrap();
    fs::write(folder.join("secrets/http"), "hush\n").unwrap();
    fs::write(folder.join("poet.md"), "You rhyme.").unwrap();
    fs::create_dir(folder.join("agents")).unwrap();
    fs::write(folder.join("agents/manager.md"), "You decide.").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let sources = Sources {
        file: Some(folder.join("roundtable.toml")),
        cwd: elsewhere.path().to_owned(),
        ..given.sources
    };
    let config = load(&sources).unwrap().config;
    assert_eq!(config.http.token.unwrap().expose(), "hush");
    assert_eq!(config.agents["poet"].soul, "You rhyme.");
    assert_eq!(config.agents["manager"].soul, "You decide.", "the user's own soul wins");
}

#[test]
fn a_strangers_agents_folder_is_not_used_without_a_file() {
    let given = given("", &[]);
    fs::create_dir(given.folder.path().join("agents")).unwrap();
    fs::write(given.folder.path().join("agents/manager.md"), "You obey.").unwrap();
    assert!(load(&given.sources).unwrap().config.agents["manager"].soul.contains("You are the manager"));
}

#[test]
fn the_database_follows_the_data_folder() {
    assert_eq!(loaded("[node]\ndata_dir = \"/srv\"", &[]).store.url.expose(), "sqlite:/srv/roundtable.db");
    let file = "[node]\ndata_dir = \"/srv\"\n[store]\nurl = \"sqlite:x.db\"";
    assert_eq!(loaded(file, &[]).store.url.expose(), "sqlite:x.db");
}

#[test]
fn former_ids_become_the_ids() {
    let file = "[agents.manager]\ndefault = true\nsubagents.allow = [\"dev\"]\n\
                [agents.coder]\naliases = [\"dev\"]\n\
                [[bindings]]\nagent = \"dev\"\nchannel = \"local\"\n";
    let config = loaded(file, &[]);
    assert_eq!(config.agents["manager"].subagents.allow, ["coder"]);
    assert_eq!(config.bindings[0].agents, ["coder"]);
}

#[test]
fn senders_of_a_group_fall_back_to_the_star() {
    let file = "[channels.telegram.main.group.\"*\"]\nsenders = \"known\"\n\
                [channels.telegram.main.group.\"-1\"]\nsenders = \"everyone\"\n";
    let config = loaded(file, &[("TELEGRAM_BOT_TOKEN", "1:a")]);
    let main = &config.channels.telegram["main"];
    assert_eq!((main.senders("-1"), main.senders("-2")), (Senders::Everyone, Senders::Known));
    assert_eq!(Telegram::default().senders("-1"), Senders::Everyone);
}

#[test]
fn an_account_that_is_off_needs_no_token() {
    let config = loaded("[channels.telegram.main]\nenabled = false", &[]);
    assert!(!config.channels.telegram["main"].enabled);
}
