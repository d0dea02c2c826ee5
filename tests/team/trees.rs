//! Trees: every node gets exactly its own children's results, in whatever order they come, and the person one answer.

use roundtable::models::{Answer, ModelMessage, Request};
use roundtable_contract::{ChatKind, Conversation};
use roundtable_fakes::Rng;
use serde_json::{Value, json};

use super::sim::{Seed, Sim, account, calls, in_worlds, says, seeds, told};

/// Children of each node that has some.
const CHILDREN: usize = 3;

/// Levels below the root.
const LEVELS: usize = 3;

/// Runs of a tree: 3 + 9 + 27.
const RUNS: usize = CHILDREN + CHILDREN.pow(2) + CHILDREN.pow(3);

/// What a node is: `tree:<seed>:<variant>:<path>`.
struct Node<'a> {
    head: &'a str,
    seed: u64,
    variant: &'a str,
    path: &'a str,
}

impl<'a> Node<'a> {
    /// Finds it in what a node was told first.
    fn of(text: &'a str) -> Self {
        let start = text.find("tree:").expect("every node is told which it is");
        let end = |c: char| !(c.is_alphanumeric() || c == ':' || c == '-');
        let name = &text[start..];
        let name = &name[..name.find(end).unwrap_or(name.len())];
        let parts: Vec<_> = name.split(':').collect();
        let [_, seed, variant, path] = parts[..] else { panic!("{name} is no node") };
        let head = &name[..name.len() - path.len()];
        Self { head, seed: seed.parse().expect("a seed"), variant, path }
    }

    fn is_leaf(&self) -> bool {
        self.path.matches('-').count() == LEVELS
    }

    fn children(&self) -> impl Iterator<Item = String> {
        (0..CHILDREN).map(|child| format!("{}-{child}", self.path))
    }

    /// How the result of one of its children is announced.
    fn announces(&self, child: usize) -> &'static str {
        let luck = self.seed.wrapping_mul(31) + (self.path.len() * 7 + child) as u64;
        ["post", "parent", "silent"][usize::try_from(luck % 3).expect("it is small")]
    }
}

/// The result that a node must have.
fn expected(path: &str) -> String {
    let node = Node { head: "", seed: 0, variant: "", path };
    if node.is_leaf() {
        return format!("<{path}>");
    }
    format!("<{path} {}>", node.children().map(|child| expected(&child)).collect::<Vec<_>>().join(" "))
}

/// The results that a node was told of, sorted.
fn results(request: &Request) -> Vec<String> {
    let mut results = Vec::new();
    for line in told(request).skip(1).flat_map(str::lines) {
        let json = line.strip_prefix("[a result, data only] ").unwrap_or(line);
        let Ok(json) = serde_json::from_str::<Value>(json) else { continue };
        let outcomes = json["outcomes"].as_array().cloned().unwrap_or_else(|| vec![json]);
        results.extend(outcomes.iter().filter_map(|outcome| outcome["result"].as_str().map(str::to_owned)));
    }
    results.sort();
    results
}

fn brain(request: &Request) -> Answer {
    let node = Node::of(told(request).next().expect("somebody has written"));
    if node.is_leaf() {
        return says(expected(node.path));
    }
    let turns =
        request.messages.iter().filter(|message| matches!(message, ModelMessage::Assistant(_))).count();
    match (turns, node.variant) {
        (0, _) => {
            let children = node.children().enumerate().map(|(number, path)| {
                let announce = node.announces(number);
                let task = format!("{}{path}", node.head);
                ("sessions_spawn", json!({"task": task, "label": path, "announce": announce}))
            });
            // Some wait in the step in which they spawn, some in the next.
            let at_once = node.variant == "yields" && node.seed.is_multiple_of(2);
            calls(children.chain(at_once.then(|| ("sessions_yield", json!({})))))
        }
        (1, "ends") => says(format!("started {}", node.path)),
        (1, "yields") if node.seed % 2 == 1 => calls([("sessions_yield", json!({}))]),
        _ => says(format!("<{} {}>", node.path, results(request).join(" "))),
    }
}

async fn play(sim: &Sim, variant: &str, seed: u64) {
    let _named = Seed(seed);
    let (mut rng, place) = (Rng::seeded(seed), Conversation::chat(account(), format!("{seed}")));
    sim.says(&place, ChatKind::Direct, &format!("tree:{seed}:{variant}:r")).await;
    sim.play(&mut rng).await;
    let head = format!("tree:{seed}:{variant}:");
    let mut seen = 0;
    for (task, outcome) in sim.outcomes().await {
        if let Some(path) = task.strip_prefix(&head) {
            assert_eq!(outcome["text"], expected(path), "{task}: {outcome}");
            seen += 1;
        }
    }
    assert_eq!(seen, RUNS, "a run is missing");
    let mut said: Vec<_> =
        sim.said().await.into_iter().filter(|(chat, _)| *chat == seed.to_string()).collect();
    let mut shown = |fits: &dyn Fn(&str) -> bool| {
        let before = said.len();
        said.retain(|(_, text)| !fits(text));
        before - said.len()
    };
    assert_eq!(shown(&|text| text == expected("r")), 1, "the answer");
    assert_eq!(shown(&|text| text == "started r"), usize::from(variant == "ends"), "the first words");
    let mut nodes = vec!["r".to_owned()];
    while let Some(path) = nodes.pop() {
        let node = Node { head: "", seed, variant, path: &path };
        for (number, child) in node.children().enumerate().filter(|_| !node.is_leaf()) {
            let posted = usize::from(node.announces(number) == "post");
            let (line, result) = (format!("{child} finished"), expected(&child));
            assert_eq!(shown(&|text| text.starts_with(&line) || text == result), posted, "{child}");
            nodes.push(child);
        }
    }
    assert!(said.is_empty(), "{said:#?}");
}

fn all(variant: &'static str) {
    in_worlds(&seeds("ROUNDTABLE_PROVE_TREES", 40), async |seeds| {
        let sim = Sim::new(brain).await;
        for seed in seeds {
            play(&sim, variant, *seed).await;
        }
        assert!(sim.audit().await.is_empty(), "{:#?}", sim.audit().await);
    });
}

#[test]
fn managers_that_wait_get_all_their_results() {
    all("yields");
}

#[test]
fn managers_that_end_their_turn_are_woken_once_with_all_results() {
    all("ends");
}
