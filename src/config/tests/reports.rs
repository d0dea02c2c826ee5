//! Whole reports, as people read them.

use super::report;

#[test]
fn unknown_keys_and_wrong_types() {
    let file = r#"
[node]
leese = "15s"
renew = 5
poll = "soon"
max_turns = "many"
[store]
max_connections = -1
[http]
listen = "localhost"
token = ""
[nod]
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:3: node.leese: unknown key; did you mean `lease`?
    error: roundtable.toml:4: node.renew: invalid type: integer `5`, expected a string
    error: roundtable.toml:5: node.poll: `soon` is no period: write a whole number and ms, s, m, h or d, like "15s"
    error: roundtable.toml:6: node.max_turns: invalid type: string, expected a whole number of at least 0
    error: roundtable.toml:8: store.max_connections: invalid value: integer `-1`, expected a whole number of at least 0
    error: roundtable.toml:10: http.listen: is no address and port; write them like "127.0.0.1:7080"
    error: roundtable.toml:11: http.token: is empty; set it to what callers shall present, or write `token = "file:PATH"`
    error: roundtable.toml:12: nod: unknown key; did you mean `node`?
    8 errors in the configuration
    "#);
}

#[test]
fn sections_that_are_no_tables() {
    let file = r#"
node = 3
agents = []
[models]
main = "x"
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:2: node: invalid type: integer `3`, expected a table
    error: roundtable.toml:3: agents: invalid type: array, expected a table
    error: roundtable.toml:5: models.main: invalid type: string, expected a table
    3 errors in the configuration
    "#);
}

#[test]
fn models_that_cannot_be_reached() {
    let file = r#"
[models.main]
provider = "antropic"
[models.b]
model = "x"
[models.c]
provider = "ollama"
[models.d]
provider = "openai_compatible"
model = "m"
base_url = "localhost:80"
prices = { input = -1.0 }
[models.e]
provider = "openai_compatible"
model = "m"
api_key = "env:NOWHERE"
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:3: models.main.provider: `antropic` is none of `anthropic`, `openai`, `gemini`, `ollama`, `openrouter`, `openai_compatible` and `demo`; did you mean `anthropic`?
    error: roundtable.toml:4: models.b.provider: is missing; write `provider = "anthropic"`, or openai, gemini, ollama, openrouter, openai_compatible or demo
    error: roundtable.toml:6: models.c.model: is missing; ollama needs the name of a model it has
    error: roundtable.toml:11: models.d.base_url: this is no address of a server: write http:// or https://, a host and perhaps a port
    error: roundtable.toml:12: models.d.prices.input: `-1` is not a number of at least 0
    error: roundtable.toml:13: models.e.base_url: is missing; openai_compatible needs the server's address, like "http://127.0.0.1:8000/v1"
    error: roundtable.toml:16: models.e.api_key: the variable NOWHERE is not set; set it to your openai_compatible key, or write `api_key = "file:PATH"`
    7 errors in the configuration
    "#);
}

#[test]
fn fallbacks_that_lead_nowhere() {
    let file = r#"
[models.a]
provider = "demo"
fallback = ["b", "mian"]
[models.b]
provider = "demo"
fallback = ["a"]
[models.main]
provider = "demo"
fallback = ["main"]
window = 100
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:4: models.a.fallback[1]: there is no model `mian`; did you mean `main`?
    error: roundtable.toml:4: models.a.fallback: goes round in a circle: a → b → a; take one of them out
    error: roundtable.toml:10: models.main.fallback: goes round in a circle: main → main; take one of them out
    error: roundtable.toml:11: models.main.window: leaves no room for a question; 8192 tokens are kept for the answer (max_output_tokens)
    4 errors in the configuration
    "#);
}

#[test]
fn agents_that_clash() {
    let file = r#"
[agents.Big]
default = true
model = "mein"
soul = "big.md"
[agents.all]
queue = "collect"
soul = "agents/coder.md"
[agents.coder]
default = true
queue = "steeer"
aliases = ["team", "researcher"]
turn_timeout = "0s"
inbox_cap = 0
[agents.researcher.subagents]
allow = ["codr", "*"]
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:2: agents.Big: `Big` is no valid id; use lower-case letters, digits and `_`, a letter or digit first, 32 at most
    error: roundtable.toml:4: agents.Big.model: there is no model `mein`; did you mean `main`?
    error: roundtable.toml:5: agents.Big.soul: there is no file `big.md`; write the path of a text file, from this file's folder, or `agents/manager.md`, `agents/researcher.md` and `agents/coder.md`
    error: roundtable.toml:6: agents.all: `all` is reserved; reserved are `all`, `here`, `everyone`, `channel`, `admin`, `bot` and `team`
    error: roundtable.toml:7: agents.all.queue: `collect` comes in a later version: write `steer` or `followup`
    error: roundtable.toml:10: agents.coder.default: `Big` and `coder` are all the default; write `default = true` for exactly one agent
    error: roundtable.toml:11: agents.coder.queue: `steeer` is none of `steer` and `followup`; did you mean `steer`?
    error: roundtable.toml:12: agents.coder.aliases[0]: `team` is reserved; reserved are `all`, `here`, `everyone`, `channel`, `admin`, `bot` and `team`
    error: roundtable.toml:12: agents.coder.aliases[1]: `researcher` is taken by agent `researcher`
    error: roundtable.toml:13: agents.coder.turn_timeout: must be longer than 0
    error: roundtable.toml:14: agents.coder.inbox_cap: must be at least 1
    error: roundtable.toml:16: agents.researcher.subagents.allow[0]: there is no agent `codr`; did you mean `coder`?
    error: roundtable.toml:16: agents.researcher.subagents.allow[1]: there is no agent `*`; choose from `Big`, `all`, `coder`, `researcher` and `team`
    13 errors in the configuration
    "#);
}

#[test]
fn no_default_agent() {
    let file = r#"
[agents.coder]
[agents.researcher]
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:2: agents: no agent is the default; write `default = true` for exactly one agent
    1 error in the configuration
    "#);
}

#[test]
fn accounts() {
    let file = r#"
[channels.telegram.main]
[channels.telegram.two]
groups = ["@ours", -5]
users = ["@ann", 7]
owners = [1.5]
dm = "pair"
poll_timeout = "90s"
[channels.telegram.three]
token = "file:nothing"
[channels.telegram.three.group."12"]
[channels.discord.main]
[channels.discord.two]
token = "x"
shards = 0
guilds = ["ours", 5]
users = ["ann"]
group.general.roles = [1]
group."*".senders = "roles"
limits.group_per_minute = 5
[channels.discord.three]
token = "y"
shards = 20000
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:2: channels.telegram.main.token: the variable TELEGRAM_BOT_TOKEN is not set; set it to the token that @BotFather gave your bot, or write `token = "file:PATH"`
    error: roundtable.toml:3: channels.telegram.two.token: is missing; write `token = "env:NAME"` with the variable that holds this bot's token
    error: roundtable.toml:4: channels.telegram.two.groups[0]: `@ours` is no group; write the group's number, like "-1001234567890" (`/whoami` in the group says it), or "*"
    error: roundtable.toml:5: channels.telegram.two.users[0]: `@ann` is no person; write the person's number (`/whoami` says it): names can be taken over by others
    error: roundtable.toml:6: channels.telegram.two.owners[0]: write a number, with or without quotes
    error: roundtable.toml:7: channels.telegram.two.dm: `pair` is none of `pairing`, `allowlist`, `open` and `off`
    error: roundtable.toml:8: channels.telegram.two.poll_timeout: is too long; Telegram waits 50 s at most
    error: roundtable.toml:10: channels.telegram.three.token: there is no file `nothing`; set it to the token that @BotFather gave your bot, or write `token = "file:PATH"`
    error: roundtable.toml:11: channels.telegram.three.group.12: `12` is no group; write the group's number, like "-1001234567890" (`/whoami` in the group says it), or "*"
    error: roundtable.toml:12: channels.discord.main.token: the variable DISCORD_TOKEN is not set; set it to the token on your bot's page at discord.com/developers, or write `token = "file:PATH"`
    error: roundtable.toml:15: channels.discord.two.shards: must be at least 1
    error: roundtable.toml:16: channels.discord.two.guilds[0]: `ours` is no server; write the number of a server or channel ("Copy ID" in Discord's developer mode), or "*"
    error: roundtable.toml:17: channels.discord.two.users[0]: `ann` is no person; write the person's number (`/whoami` says it): names can be taken over by others
    error: roundtable.toml:18: channels.discord.two.group.general: `general` is no server or channel; write the number of a server or channel ("Copy ID" in Discord's developer mode), or "*"
    error: roundtable.toml:18: channels.discord.two.group.general.roles: has no meaning here; write `senders = "roles"` beside it
    error: roundtable.toml:19: channels.discord.two.group."*".roles: is empty, so that only owners would be heard; name them: `roles = ["…"]`
    error: roundtable.toml:20: channels.discord.two.limits.group_per_minute: unknown key; choose from `chat_per_second`, `chat_burst` and `total_per_second`
    error: roundtable.toml:23: channels.discord.three.shards: is too large; write a number from 1 to 16384; Discord wants one for every 2,500 servers
    warning: roundtable.toml:14: channels.discord.two.token: the secret itself is in the file; write `token = "env:NAME"` or `"file:PATH"`
    warning: roundtable.toml:22: channels.discord.three.token: the secret itself is in the file; write `token = "env:NAME"` or `"file:PATH"`
    18 errors in the configuration
    "#);
}

#[test]
fn two_accounts_with_one_token() {
    let file = r#"
[channels.telegram.a]
token = "env:T"
[channels.telegram.b]
token = "env:T"
limits.chat_per_second = nan
"#;
    insta::assert_snapshot!(report(file, &[("T", "1:a")]), @r#"
    error: roundtable.toml:5: channels.telegram.b.token: is the token of `channels.telegram.a` too; one bot is one account
    error: roundtable.toml:6: channels.telegram.b.limits.chat_per_second: `NaN` is not a number of at least 0
    2 errors in the configuration
    "#);
}

#[test]
fn bindings_that_cannot_win() {
    let file = r#"
[[bindings]]
agent = "coder"
channel = "telegram"
chat = -1
[[bindings]]
agent = "manager"
chat = "-1"
channel = "telegram"
[[bindings]]
agent = "coder"
chat = -1
user = 5
channel = "telegram"
[[bindings]]
agent = "manager"
channel = "telegram"
account = "main"
"#;
    insta::assert_snapshot!(report(file, &[("TELEGRAM_BOT_TOKEN", "1:a")]), @r#"
    error: roundtable.toml:6: bindings[1]: names the same place as bindings[0]; take one of them out
    error: roundtable.toml:10: bindings[2]: can never win: all it matches is taken by bindings[0]; take one of them out
    2 errors in the configuration
    "#);
}

#[test]
fn bindings_that_dangle() {
    let file = r#"
[[bindings]]
agents = ["coder", "codre", "coder"]
channel = "telegram"
account = "mian"
[[bindings]]
[[bindings]]
agent = "coder"
channel = "discord"
guild = "1"
[[bindings]]
agent = "coder"
thread = 1
mention = "allways"
[[bindings]]
agent = "coder"
channel = "telegramm"
[[bindings]]
agent = "coder"
channel = "telegram"
guild = 1
[[bindings]]
agent = "coder"
chat = 1
role = 2
"#;
    insta::assert_snapshot!(report(file, &[("TELEGRAM_BOT_TOKEN", "1:a")]), @r#"
    error: roundtable.toml:3: bindings[0].agents[1]: there is no agent `codre`; did you mean `coder`?
    error: roundtable.toml:3: bindings[0].agents[2]: names `coder` twice
    error: roundtable.toml:5: bindings[0].account: there is no account `mian`; did you mean `main`?
    error: roundtable.toml:6: bindings[1]: names no agent; write `agent = "…"` or `agents = ["…", "…"]`
    error: roundtable.toml:6: bindings[1]: names no place; give a channel, account, chat or user; for everywhere else there is the default agent
    error: roundtable.toml:9: bindings[2].channel: there is no discord account; add [channels.discord.main]
    error: roundtable.toml:13: bindings[3].thread: needs a chat; give the `chat` too: threads are numbered within a chat
    error: roundtable.toml:14: bindings[3].mention: `allways` is none of `required` and `always`; did you mean `always`?
    error: roundtable.toml:17: bindings[4].channel: there is no channel `telegramm`; did you mean `telegram`?
    error: roundtable.toml:21: bindings[5].guild: is Discord's: telegram has none; take it out
    error: roundtable.toml:25: bindings[6].role: needs a guild; give the `guild` too: roles belong to a server
    11 errors in the configuration
    "#);
}

#[test]
fn a_binding_without_its_platform() {
    let file = r#"
[[bindings]]
agent = "coder"
channel = "telegram"
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:4: bindings[0].channel: there is no telegram account; add [channels.telegram.main]
    1 error in the configuration
    "#);
}

#[test]
fn elements_of_the_wrong_type() {
    let file = r#"
bindings = [3, { agent = "coder", channel = "local", mention = 1 }]
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:2: bindings[0]: invalid type: integer `3`, expected a table
    error: roundtable.toml:2: bindings[1].mention: is no text; write a word in quotes
    2 errors in the configuration
    "#);
}

#[test]
fn no_toml() {
    let file = r#"
[node
name =
 x
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:2: this is no TOML: unclosed table, expected `]`
    error: roundtable.toml:4: this is no TOML: key with no value, expected `=`
    2 errors in the configuration
    "#);
}

#[test]
fn a_key_twice() {
    let file = r#"
[node]
name = "a"
name = "b"
"#;
    insta::assert_snapshot!(report(file, &[]), @r#"
    error: roundtable.toml:4: this is no TOML: duplicate key
    1 error in the configuration
    "#);
}

#[test]
fn variables() {
    let file = r#"
[node]
poll = "2s"
"#;
    let env = [
        ("ROUNDTABLE_NODE__LEESE", "1s"),
        ("ROUNDTABLE_NODE__MAX_TURNS", "lots"),
        ("ROUNDTABLE_NODE__RENEW", "10s"),
        ("ROUNDTABLE_AGENTS__WRITER__MODEL", "main"),
        ("ROUNDTABLE_STORE__URL", "mysql://host"),
    ];
    insta::assert_snapshot!(report(file, &env), @r#"
    error: ROUNDTABLE_AGENTS__WRITER__MODEL: agents.writer.soul: there is no file `agents/writer.md`; write the path of a text file, from this file's folder, or `agents/manager.md`, `agents/researcher.md` and `agents/coder.md`
    error: ROUNDTABLE_NODE__LEESE: node.leese: unknown key; did you mean `lease`?
    error: ROUNDTABLE_NODE__MAX_TURNS: node.max_turns: invalid type: string, expected a whole number of at least 0
    error: ROUNDTABLE_NODE__RENEW: node.renew: is too long; make it at most half of `node.lease`, so that one lost renewal does no harm
    error: ROUNDTABLE_STORE__URL: store.url: is no address of a database we know; write sqlite:<path> or postgres://user@host/db
    5 errors in the configuration
    "#);
}
