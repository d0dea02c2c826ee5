//! An agent gets another id: its history, the answers to what it said, and what it is doing go on.

use roundtable_fakes::Reply;
use serde_json::json;

use crate::support::databases::on_each_database;
use crate::support::requests::{agent_of, heard, made, next_text};
use crate::support::world::World;

const BEFORE: &str = "[agents.manager]\ndefault = true\nsubagents.allow = [\"coder\"]\n[agents.coder]\n";
const AFTER: &str = "[agents.builder]\nname = \"Coder\"\nsoul = \"agents/coder.md\"\naliases = [\"coder\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_history_and_a_turn_in_flight_go_on_under_a_new_id() {
    on_each_database(async |url| {
        let mut world = World::setting().config(BEFORE).on(url).start().await;
        let ann = world.telegram.user("ann");
        ann.says("@coder the word is plum");
        let first = ann.next_message().await.unwrap();
        let hold = world.model.hold("fig");
        ann.says("@coder and the next is fig");
        hold.arrived().await.unwrap();
        world.kill_node().await;
        hold.release();
        world.configure(|text| text.replace("[agents.coder]\n", AFTER));
        world.start_node().await;
        assert!(next_text(&ann).await.ends_with("echo: @coder and the next is fig"));
        let answered = |text: &str| {
            let requests = world.model.requests();
            let last = requests.last().expect("the model was asked");
            assert_eq!(agent_of(last), "builder");
            let all = heard(last);
            assert!(all.contains("plum") && all.contains("fig") && all.ends_with(text), "{all}");
        };
        ann.replies_to(&first, "which was the first?");
        assert!(next_text(&ann).await.ends_with("which was the first?"));
        answered("which was the first?");
        for label in ["@builder", "@coder"] {
            ann.says(&format!("{label} once more"));
            assert!(next_text(&ann).await.ends_with("once more"));
            answered("once more");
        }
        let list = json!({"agentId": "builder"});
        world.model.once("who builds", Reply::calls([("sessions_list", list)]));
        world.model.after("sessions_list", Reply::text("One does."));
        ann.says("who builds?");
        assert_eq!(next_text(&ann).await, "One does.");
        let (_, listed) = made(world.model.requests().last().unwrap()).pop().unwrap();
        assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(listed["sessions"][0]["agentId"], "builder", "{listed}");
        assert_eq!(world.rows().await.sessions.len(), 2, "nobody began anew");
        world.end().await;
    })
    .await;
}
