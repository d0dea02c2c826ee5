//! Children: how soon their results are seen, and many of them at once. The model is a fake that tells when it
//! answered.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use roundtable_fakes::{Hold, ModelFake, ModelRequest, Reply, Role, TelegramFake};
use serde_json::{Value, json};

use super::figures::{millis, share};
use super::node::Node;
use super::scaled;

/// Children whose results are timed, one after the other.
const ONE_BY_ONE: usize = 200;
/// People whose managers have children at the same time, and how many each has.
const PEOPLE: usize = 10;
const CHILDREN: usize = 100;

/// When the model gave its answer to a child, by its number.
type Answered = Arc<Mutex<HashMap<usize, Instant>>>;

/// The fakes, and the program between them.
struct Scene {
    telegram: TelegramFake,
    model: ModelFake,
    answered: Answered,
    node: Node,
}

/// From the model's answer to a child to the receipt of the call that shows it; returns the median in milliseconds.
pub async fn results(folder: &Path, url: &str) -> Result<f64> {
    let scene = Scene::start(folder, url).await?;
    for number in 0..scaled(ONE_BY_ONE) {
        // Everybody asks once: what was said before would be read again and again.
        let person = scene.telegram.user(&format!("p{number}"));
        person.says(&wish(number..number + 1));
        person.place().expect_message("the result", |message| message.text.contains("result")).await?;
    }
    let mut times = scene.times()?;
    times.sort();
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|at| share(&times, at));
    println!("  child done to its result   {p50:>8.2} ms p50, {p99:.2} ms p99, {most:.2} ms most");
    scene.end()?;
    Ok(p50)
}

/// Many children at work at once: what they take, and how soon all have answered when their models do.
pub async fn crowd(folder: &Path, url: &str) -> Result<()> {
    let scene = Scene::start(folder, url).await?;
    let (people, children) = (scaled(PEOPLE), CHILDREN);
    let holds: Vec<Hold> = (0..people * children).map(|number| scene.model.hold(&task(number))).collect();
    let begun = Instant::now();
    let people: Vec<_> = (0..people).map(|n| scene.telegram.user(&format!("p{n}"))).collect();
    for (n, person) in people.iter().enumerate() {
        person.says(&wish(n * children..(n + 1) * children));
    }
    for hold in &holds {
        hold.arrived().await?;
    }
    let live = holds.len();
    println!("  {live:>4} children at work      {:>8.0} ms after the first word", millis(begun.elapsed()));
    println!("  memory with them           {:>8.1} MiB", scene.node.memory()?);
    let released = Instant::now();
    holds.into_iter().for_each(Hold::release);
    for person in &people {
        for _ in 0..children {
            person.place().expect_message("a result", |message| message.text.contains("result")).await?;
        }
    }
    println!(
        "  all their results seen     {:>8.0} ms after their models answered",
        millis(released.elapsed())
    );
    println!("  memory after it            {:>8.1} MiB", scene.node.memory()?);
    scene.end()
}

impl Scene {
    async fn start(folder: &Path, url: &str) -> Result<Self> {
        let (telegram, model) = (TelegramFake::start().await?, ModelFake::start().await?);
        telegram.set(|settings| settings.hot_loop_throttle = false);
        let answered = Answered::default();
        let clock = Arc::clone(&answered);
        model.on(move |request| Some(play(request, &clock)));
        let more = format!(
            "max_turns = 2000\n[models.main]\nprovider = \"openai\"\nmodel = \"fake\"\napi_key = \"sk-none\"\n\
             base_url = {:?}\n[agents.manager]\ndefault = true\ntools = [\"sessions\"]\n\
             [agents.manager.subagents]\nallow = [\"coder\"]\nmax_children = {CHILDREN}\nmax_sessions = {}\n\
             [agents.coder]\ntools = []\n",
            model.url(),
            CHILDREN + 1,
        );
        let node = Node::start(folder, url, &telegram, &more)?;
        Ok(Self { telegram, model, answered, node })
    }

    /// From each answer to the call with it.
    fn times(&self) -> Result<Vec<Duration>> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = self.telegram.calls_of("sendmessage");
        let time = |(number, at): (&usize, &Instant)| {
            let ends = format!("result {number}.");
            let holds = |text: &Value| text.as_str().is_some_and(|text| text.ends_with(&ends));
            let call =
                shown.iter().find(|call| holds(&call.params["text"])).context("every result is shown")?;
            Ok(call.at.duration_since(*at))
        };
        answered.iter().map(time).collect()
    }

    fn end(mut self) -> Result<()> {
        self.node.stop()?;
        let violations = [self.telegram.violations(), self.model.violations()].concat();
        ensure!(violations.is_empty(), "the fakes saw what they must not see: {violations:?}");
        Ok(())
    }
}

/// What a person says to have these children at work.
fn wish(numbers: std::ops::Range<usize>) -> String {
    format!("wish {} {}", numbers.start, numbers.end)
}

/// What a child is told.
fn task(number: usize) -> String {
    format!("task {number}.")
}

/// The model of all: a wish becomes children, a task its result, and with everything else one is content.
fn play(request: &ModelRequest, answered: &Answered) -> Reply {
    let last = request.last();
    if last.role != Role::User {
        return Reply::text("They are at work.");
    }
    if let Some((_, numbers)) = last.text.split_once("wish ") {
        let mut numbers = numbers.split_whitespace().filter_map(|number| number.parse::<usize>().ok());
        let (Some(start), Some(end)) = (numbers.next(), numbers.next()) else {
            return Reply::text("NO_REPLY");
        };
        let spawn = |n: usize| {
            ("sessions_spawn", json!({"task": task(n), "agentId": "coder", "label": format!("c{n}")}))
        };
        return Reply::calls((start..end).map(spawn));
    }
    let number =
        last.text.split_once("\"task ").and_then(|(_, rest)| rest.split_once('.')?.0.parse::<usize>().ok());
    match number.filter(|_| last.text.starts_with("[task")) {
        Some(number) => {
            answered.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Instant::now());
            Reply::text(format!("result {number}."))
        }
        None => Reply::text("NO_REPLY"),
    }
}
