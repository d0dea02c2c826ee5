//! The gateway's close codes, one by one: after some the account goes on, after others it can't.

use roundtable_fakes::discord::Seat;

use super::gateway::met;
use super::next;
use crate::support::process::Process;
use crate::support::ready;
use crate::support::world::{QUICK_DISCORD, World};

/// How the account goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    /// With the session it had.
    On,
    /// With a new one, after Discord refused the old one if need be.
    Anew,
}

/// 1006 is what a client notes when a connection ends without a close frame.
const PASSING: [(u16, Goes); 11] = [
    (1000, Goes::Anew),
    (1001, Goes::Anew),
    (1006, Goes::On),
    (4000, Goes::On),
    (4001, Goes::On),
    (4002, Goes::On),
    (4003, Goes::Anew),
    (4005, Goes::On),
    (4007, Goes::Anew),
    (4008, Goes::On),
    (4009, Goes::Anew),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_passes_loses_and_doubles_nothing() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    for (code, goes) in PASSING {
        let (sessions, resumes) = (world.discord().identifies(), world.discord().resume_paths().len());
        match code {
            1006 => world.discord().drop_gateway(),
            code => world.discord().close_gateway(code),
        }
        for text in ["meanwhile", "and now?"] {
            for seat in &seats {
                seat.mentions_bot(&format!("{text} {code}"));
            }
            for seat in &seats {
                let answer = next(seat).await;
                assert!(answer.ends_with(&format!("{text} {code}")), "{code}: {answer}");
            }
        }
        let begun = world.discord().identifies() - sessions;
        let resumed = world.discord().resume_paths().len() - resumes;
        match goes {
            Goes::On => assert_eq!((begun, resumed), (0, 1), "{code}"),
            Goes::Anew => assert_eq!(begun, 1, "{code}"),
        }
        ready::all(&world).await;
    }
    world.end().await;
}

/// What `/readyz` and the log say of a code that doesn't pass, with what to do about it.
const FATAL: [(u16, &str); 6] = [
    (4004, "set it as `token` in [channels.discord.main] or as DISCORD_TOKEN"),
    (4010, "Set a higher `shards` in [channels.discord.main]"),
    (4011, "Set a higher `shards` in [channels.discord.main]"),
    (4012, "Update Roundtable"),
    (4013, "Update Roundtable"),
    (4014, "Switch on \"Message Content Intent\""),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_fatal_code_stops_its_account_with_a_reason_and_no_other() {
    for (code, cure) in FATAL {
        let world = two_bots().await;
        let ann = world.discord().user("ann");
        let (of_second, on_telegram) = (ann.with_bot("second_bot").unwrap(), world.telegram.user("ann"));
        let process = Process::start(&world, None).unwrap();
        ready::all(&world).await;
        says(&ann, "hello").await;

        world.discord().bar("roundtable_bot", code);
        let stopped = |ready: &ready::Ready| ready.state("discord:main") == "stopped";
        let now = ready::until(&world, "the account to stop", stopped).await;
        let reason = now.reason("discord:main").to_owned();
        assert!(reason.contains(&format!("close code {code}")) && reason.contains(cure), "{reason}");
        assert!(process.said().contains(&reason), "{reason}\n{}", process.said());
        assert_eq!([now.state("discord:second"), now.state("telegram:main")], ["ready", "ready"]);
        ann.says("is anybody there?");
        says(&of_second, "still here?").await;
        on_telegram.says("and here?");
        assert_eq!(on_telegram.next_message().await.unwrap().text, "echo: and here?");
        process.stop().await.unwrap();

        world.discord().let_in("roundtable_bot");
        let process = Process::start(&world, None).unwrap();
        assert_eq!(next(&ann).await, "echo: is anybody there?");
        says(&ann, "good").await;
        process.stop().await.unwrap();
        world.end().await;
    }
}

/// A world with a second bot on Discord, and no node.
async fn two_bots() -> World {
    let mut world = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).without_node().await;
    let (token, api_url) = (world.discord().add_bot("second_bot"), world.discord().api_url());
    world.env.insert("SECOND".to_owned(), token);
    world.configure(|text| {
        format!(
            "{text}\n[channels.discord.second]\ntoken = \"env:SECOND\"\napi_url = {api_url:?}\ndm = \"open\"\n\
             {QUICK_DISCORD}\n"
        )
    });
    world
}

async fn says(seat: &Seat, text: &str) {
    seat.says(text);
    assert_eq!(next(seat).await, format!("echo: {text}"));
}
