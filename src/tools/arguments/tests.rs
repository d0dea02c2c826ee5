use serde::Deserialize;
use serde_json::json;

use super::*;

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// At once.
    Fast,
    /// In time.
    #[serde(alias = "safe")]
    Slow,
}

/// All there is.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Args {
    /// What to do.
    #[schemars(length(min = 1))]
    task_text: String,
    /// How many.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 200))]
    limit: i64,
    /// Before which.
    #[schemars(range(min = 1))]
    before: Option<i64>,
    /// How to do it.
    mode: Option<Mode>,
    /// In which ways.
    #[serde(default)]
    modes: Vec<Mode>,
    /// Whether.
    #[serde(default)]
    loud: bool,
    /// A name.
    label: Option<String>,
}

fn ten() -> i64 {
    10
}

fn message(arguments: &Value) -> String {
    let refusal = read::<Args>(arguments).unwrap_err();
    assert_eq!(refusal.code, "invalid_arguments");
    refusal.message
}

#[test]
fn what_is_absent_has_its_default_and_what_is_unknown_is_named() {
    let given = json!({"taskText": "x", "before": null, "label": "", "task_text": 1, "why": {}});
    let read = read::<Args>(&given).unwrap();
    let plain = Args {
        task_text: "x".into(),
        limit: 10,
        before: None,
        mode: None,
        modes: vec![],
        loud: false,
        label: None,
    };
    assert_eq!(read, Arguments { value: plain, ignored: vec!["task_text".into(), "why".into()] });
}

#[test]
fn what_can_only_mean_one_thing_is_taken() {
    let given = json!({
        "taskText": "x", "limit": 30.0, "before": " 7 ", "mode": "safe", "modes": "fast", "loud": "true", "label": "7",
    });
    let value = read::<Args>(&given).unwrap().value;
    assert_eq!((value.limit, value.before, value.mode), (30, Some(7), Some(Mode::Slow)));
    assert_eq!((value.modes, value.loud, value.label.as_deref()), (vec![Mode::Fast], true, Some("7")));
}

#[test]
fn what_is_wrong_is_named_with_what_is_wanted() {
    let table = [
        json!({"limit": 201}),
        json!({"limit": -1}),
        json!({"limit": 1.5}),
        json!({"limit": 1e300}),
        json!({"limit": "many"}),
        json!({"before": 0}),
        json!({"before": true}),
        json!({"mode": "soon"}),
        json!({"mode": 3}),
        json!({"modes": ["fast", "soon"]}),
        json!({"loud": 1}),
        json!({"label": ["a"]}),
        json!({"label": {"long": "x".repeat(100)}}),
        json!({"taskText": "  "}),
        json!({"taskText": ["x"]}),
    ];
    let messages = table.map(|mut given| {
        if given.get("taskText").is_none() {
            given["taskText"] = "x".into();
        }
        message(&given)
    });
    insta::assert_snapshot!(messages.join("\n"), @r#"
    `limit` must be a whole number from 0 to 200, not 201.
    `limit` must be a whole number from 0 to 200, not -1.
    `limit` must be a whole number from 0 to 200, not 1.5.
    `limit` must be a whole number from 0 to 200, not 1e+300.
    `limit` must be a whole number from 0 to 200, not "many".
    `before` must be a whole number of at least 1, not 0.
    `before` must be a whole number of at least 1, not true.
    `mode` must be one of "fast", "slow", not "soon".
    `mode` must be one of "fast", "slow", not 3.
    `modes` must be a list, each one of "fast", "slow", not ["fast","soon"].
    `loud` must be true or false, not 1.
    `label` must be a text, not ["a"].
    `label` must be a text, not {"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx….
    `taskText` must be a text that is not empty, not "  ".
    `taskText` must be a text that is not empty, not ["x"].
    "#);
    let absent = [json!({}), json!({"taskText": null}), json!({"task": "x", "prompt": "y"})];
    insta::assert_snapshot!(absent.map(|given| message(&given)).join("\n"), @r"
    `taskText` is missing: it must be a text that is not empty.
    `taskText` is missing: it must be a text that is not empty.
    `taskText` is missing: it must be a text that is not empty. There is no argument `task`, `prompt`.
    ");
}

#[test]
fn arguments_are_an_object() {
    for given in [json!(null), json!("{}"), json!([]), json!(7)] {
        assert_eq!(message(&given), "The arguments must be one JSON object, for example {}.", "{given}");
    }
}

#[test]
fn the_schema_is_plain() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema::<Args>()).unwrap(), @r#"
    {
      "type": "object",
      "properties": {
        "taskText": {
          "type": "string",
          "description": "What to do.",
          "minLength": 1
        },
        "limit": {
          "type": "integer",
          "default": 10,
          "description": "How many.",
          "minimum": 0,
          "maximum": 200
        },
        "before": {
          "type": "integer",
          "minimum": 1,
          "description": "Before which."
        },
        "mode": {
          "description": "How to do it.",
          "type": "string",
          "enum": [
            "fast",
            "slow"
          ]
        },
        "modes": {
          "type": "array",
          "items": {
            "description": "How.",
            "type": "string",
            "enum": [
              "fast",
              "slow"
            ]
          },
          "description": "In which ways."
        },
        "loud": {
          "type": "boolean",
          "description": "Whether.",
          "default": false
        },
        "label": {
          "type": "string",
          "description": "A name."
        }
      },
      "required": [
        "taskText"
      ]
    }
    "#);
}
