//! The play of the three, with the engine's part spoken by the test.

use serde_json::Value;

use super::*;

const TOOLS: [&str; 6] =
    ["agents_list", "sessions_history", "sessions_list", "sessions_send", "sessions_spawn", "sessions_yield"];
const WISH: &str = "Build a website that displays the current price of Bitcoin and deploy it to Vercel.";

fn cast(id: &str, said: &str) -> Request {
    let facts =
        json!({"you": {"id": id, "name": "N"}, "team": ["Coder (coder)"], "conversation": "local:main:1"});
    let roster =
        json!({"table": [{"label": "coder", "task": "# Where you are\n{\"you\": {\"id\": \"coder\"}}"}]});
    Request {
        system: format!("You are one.\n\n# Where you are\n{facts}\n\n# Who is here\n{roster}\n"),
        ..request(vec![user(said)], &TOOLS)
    }
}

fn task(from: &str, text: &str) -> String {
    format!("[task from {from}] {}", json!({"from": from, "text": text}))
}

/// Plays a turn to its end: the calls that were made, step by step, and the last words.
fn turn(mut request: Request, mut answer: impl FnMut(&ToolCall) -> Value) -> (Vec<ToolCall>, String) {
    let mut made = Vec::new();
    loop {
        let said = play(&request);
        assert_eq!(said, play(&request), "the same request, the same answer");
        if said.calls.is_empty() {
            return (made, said.text);
        }
        assert!(made.len() < 20, "no end: {made:?}");
        let calls = said.calls.clone();
        request.messages.push(ModelMessage::Assistant(said));
        for call in calls {
            let content = answer(&call).to_string();
            request.messages.push(ModelMessage::Tool { call_id: call.id.clone(), content });
            made.push(call);
        }
    }
}

/// Answers of these kinds, by the tool that is called; those of `sessions_yield` one after the other.
fn engine(mut yields: impl Iterator<Item = Value>) -> impl FnMut(&ToolCall) -> Value {
    move |call| match call.name.as_str() {
        "sessions_spawn" => accepted(call.arguments["label"].as_str().unwrap()),
        "sessions_yield" => yields.next().unwrap(),
        "sessions_send" => json!({"status": "accepted"}),
        other => panic!("{other}"),
    }
}

fn accepted(label: &str) -> Value {
    json!({"status": "accepted", "runId": "run_1", "childSessionKey": format!("agent:{label}:subagent:1"), "label": label})
}

fn done(label: &str, result: &str) -> Value {
    json!({"status": "ok", "outcomes": [{"label": label, "status": "done", "result": result, "seconds": 1}], "running": 0})
}

fn names(calls: &[ToolCall]) -> Vec<&str> {
    calls.iter().map(|call| call.name.as_str()).collect()
}

/// The researcher's or the coder's turn for the task it is given.
fn child(call: &ToolCall) -> Value {
    let (label, text) = (call.arguments["label"].as_str().unwrap(), call.arguments["task"].as_str().unwrap());
    let (_, result) = turn(cast(label, &task("manager", text)), |asked| {
        assert_eq!((asked.name.as_str(), &asked.arguments["label"]), ("sessions_send", &json!("researcher")));
        let mut asked_later = cast("researcher", &task("manager", "…"));
        asked_later
            .messages
            .push(ModelMessage::Assistant(Answer { text: "…".into(), ..Answer::default() }));
        let framed = json!({"from": "coder", "text": asked.arguments["message"]});
        asked_later.messages.push(user(&format!("[agent, data only] {framed}")));
        json!({"status": "ok", "reply": turn(asked_later, |_| unreachable!()).1})
    });
    done(label, &result)
}

#[test]
fn the_three_build_a_page_together() {
    let mut tasks: Vec<ToolCall> = Vec::new();
    let (calls, summary) = turn(cast("manager", WISH), |call| match call.name.as_str() {
        "sessions_spawn" => {
            tasks.push(call.clone());
            accepted(call.arguments["label"].as_str().unwrap())
        }
        "sessions_yield" => child(tasks.last().unwrap()),
        "sessions_list" => {
            json!({"status": "ok", "sessions": [{"label": "researcher", "status": "idle"}, {}]})
        }
        "sessions_history" => json!({"status": "ok", "entries": [{}, {}, {}]}),
        other => panic!("{other}"),
    });
    let script = ["sessions_spawn", "sessions_yield", "sessions_list", "sessions_history", "sessions_spawn"];
    assert_eq!(names(&calls), script);
    assert!(tasks[0].arguments["task"].as_str().unwrap().contains(WISH));
    assert!(tasks[1].arguments["task"].as_str().unwrap().contains(researcher::FINDINGS));
    insta::assert_snapshot!(summary.replace(INTRODUCTION, "INTRODUCTION"), @r"
    INTRODUCTION

    The researcher says: Use Coinbase's public spot price: one request, no key. (Demonstration: this was written beforehand and nothing was looked up, so check it before you rely on it.)

    I looked at the table (sessions there: 2) and at what the researcher had done (entries read: 3).

    The coder writes the page now and hands it out here.
    ");
    let page = format!("```html\n{}```", coder::PAGE);
    let outcome = child(&tasks[1])["outcomes"][0].clone();
    let handed_out = outcome["result"].as_str().unwrap();
    assert!(handed_out.contains(&page) && handed_out.contains("The researcher advised both"), "{handed_out}");
    let told = format!("[a result, data only] {outcome}");
    assert!(play(&cast("manager", &told)).text.starts_with("That is the page"));
}

#[test]
fn a_wish_is_recognised_in_many_words() {
    let wishes = [
        "build me a web page with the BTC price",
        "Ann: can you make an app, please?",
        "Erstelle eine Webseite, die den Bitcoin-Kurs anzeigt, und stelle sie auf Vercel online.",
        "Kannst du ein Programm schreiben?",
        "Crea una página web con el precio de Bitcoin",
    ];
    for wish in wishes {
        assert_eq!(play(&cast("manager", wish)).calls[0].name, "sessions_spawn", "{wish}");
    }
    for other in [
        "What a nice page",
        "make it so",
        "the machine's website",
        "[answers this, data only] {\"text\":\"build an app\"}",
    ] {
        assert_eq!(play(&cast("manager", other)).calls, [], "{other}");
    }
}

#[test]
fn a_refusal_or_a_failure_ends_it_plainly() {
    let refused = json!({"status": "error", "code": "label_taken", "message": "canary"});
    let (calls, said) = turn(cast("manager", WISH), |_| refused.clone());
    assert_eq!(names(&calls), ["sessions_spawn", "sessions_yield"]);
    assert!(said.contains("(`label_taken`)") && !said.contains("canary"), "{said}");

    let failed = json!({"label": "researcher", "status": "timed_out", "result": ""});
    let failed = json!({"status": "ok", "outcomes": [failed], "running": 0});
    let (calls, said) = turn(cast("manager", WISH), engine([failed].into_iter()));
    assert_eq!(names(&calls), ["sessions_spawn", "sessions_yield"]);
    assert!(said.contains("The researcher has not finished (timed_out)."), "{said}");
}

#[test]
fn nobody_waits_for_who_is_not_there() {
    let nobody = json!({"status": "ok", "outcomes": [], "running": 0});
    let (calls, said) = turn(cast("manager", WISH), engine([nobody].into_iter()));
    assert_eq!(names(&calls), ["sessions_spawn", "sessions_yield"]);
    assert!(said.contains("Nobody is at work any more"), "{said}");
}

#[test]
fn a_question_is_answered_and_the_wait_goes_on() {
    let question = json!({"from": "researcher", "sessionKey": "k", "message": "?"});
    let question = json!({"status": "question", "outcomes": [], "running": 1, "question": question});
    let interrupted = json!({"status": "interrupted", "outcomes": [], "running": 1});
    let yields = std::iter::once(question).chain(std::iter::repeat(interrupted));
    let (calls, said) = turn(cast("manager", WISH), engine(yields));
    assert_eq!(names(&calls)[..4], ["sessions_spawn", "sessions_yield", "sessions_send", "sessions_yield"]);
    assert_eq!(calls[2].arguments["sessionKey"], "k");
    assert!(said.ends_with("The team is at work; its results appear here."), "{said}");
}

#[test]
fn results_that_people_have_seen_are_met_with_silence() {
    let seen = format!("[a result, data only] {}", json!({"label": "coder", "result": "Build a website"}));
    assert_eq!(play(&cast("manager", &seen)).text, "NO_REPLY");
    // In the middle of a turn it does not take the place of what is being done.
    let mut request = cast("manager", WISH);
    let said = play(&request);
    let results = [accepted("researcher"), json!({"status": "interrupted", "outcomes": [], "running": 1})];
    let results = said.calls.iter().zip(results);
    let results = results
        .map(|(call, result)| ModelMessage::Tool { call_id: call.id.clone(), content: result.to_string() });
    request.messages.extend(results.collect::<Vec<_>>());
    request.messages.insert(1, ModelMessage::Assistant(said));
    request.messages.push(user(&seen));
    assert_eq!(play(&request).calls[0].name, "sessions_yield");
}

#[test]
fn each_answers_people_in_its_role() {
    let said = |id: &str, text: &str| {
        let mut request = cast(id, "…");
        request.messages.push(ModelMessage::Assistant(Answer { text: "…".into(), ..Answer::default() }));
        request.messages.push(user(text));
        play(&request).text
    };
    assert_eq!(said("researcher", "@researcher which API is it?"), researcher::FINDINGS);
    assert_eq!(said("researcher", "how often may one ask?"), researcher::ADVICE);
    assert_eq!(said("coder", "@coder how do I deploy the page?"), coder::deploying());
    assert!(said("coder", "@coder show me the page").contains(coder::PAGE));
    assert!(said("coder", WISH).contains(coder::PAGE), "it needs nobody for that");
    assert_eq!(
        said("coder", "good morning"),
        "The coder here, who has no tools in this demonstration. You wrote: good morning"
    );
    assert!(said("researcher", "help").contains("Which source"));
    assert_eq!(
        said("coder", "[agent, data only] {\"from\":\"researcher\",\"text\":\"Thank you.\"}"),
        "NO_REPLY"
    );
}

#[test]
fn questions_are_carried_to_a_teammate() {
    let ask = || cast("manager", "Ask the coder how to deploy it");
    let (calls, said) = turn(ask(), |_| json!({"status": "ok", "reply": "With care."}));
    assert_eq!(names(&calls), ["sessions_send"]);
    assert_eq!(calls[0].arguments["agentId"], "coder");
    assert!(said.ends_with("The coder says:\n\nWith care."), "{said}");
    // Who has not worked on anything yet takes it for what it is: a question and no task.
    let framed = json!({"from": "manager", "text": calls[0].arguments["message"]});
    assert_eq!(play(&cast("coder", &format!("[agent, data only] {framed}"))).text, coder::deploying());
    let (_, said) = turn(ask(), |_| json!({"status": "error", "code": "forbidden", "message": "no"}));
    assert!(said.ends_with("I could not ask the coder (`forbidden`)."), "{said}");
}

#[test]
fn the_manager_says_who_is_doing_what() {
    let sessions = json!({"status": "ok", "sessions": [
        {"label": "coder", "agentId": "coder", "status": "running"},
        {"label": null, "agentId": "manager", "status": "idle"},
    ]});
    let (calls, said) = turn(cast("manager", "How is it going?"), |_| sessions.clone());
    assert_eq!(names(&calls), ["sessions_list"]);
    assert!(said.ends_with("At the table:\n- coder: running\n- manager: idle"), "{said}");
}

#[test]
fn nobody_calls_what_is_not_offered() {
    for (id, said) in [
        ("manager", WISH.to_owned()),
        ("coder", task("manager", "Ask the researcher")),
        ("manager", "Ask the coder".into()),
    ] {
        let request = Request { tools: vec![], ..cast(id, &said) };
        let (calls, said) = turn(request, |_| unreachable!());
        assert!(calls.is_empty() && !said.is_empty());
    }
}
