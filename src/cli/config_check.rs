//! `roundtable config check`: says whether the program would start with this configuration.

use serde_json::{Value, json};

use super::{Context, out};
use crate::config::{self, Finding, Loaded, Report, Sources};

/// The exit code of every command that finds its configuration wrong (`EX_CONFIG` of sysexits.h).
pub const EX_CONFIG: u8 = 78;

/// Prints the verdict and returns the exit code.
pub(super) fn run(context: &Context) -> anyhow::Result<u8> {
    if context.json {
        let loaded = config::load(&context.sources);
        out::data(true, &verdict(&loaded), |_| String::new())?;
        return Ok(if loaded.is_ok() { 0 } else { EX_CONFIG });
    }
    let (text, code) = check(&context.sources);
    out::text(&text)?;
    Ok(code)
}

fn verdict(loaded: &Result<Loaded, Report>) -> Value {
    let all = |findings: &[Finding]| findings.iter().map(finding).collect::<Vec<_>>();
    match loaded {
        Ok(Loaded { file, warnings, .. }) => {
            json!({ "ok": true, "file": file, "errors": [], "warnings": all(warnings) })
        }
        Err(Report { errors, warnings }) => {
            json!({ "ok": false, "errors": all(errors), "warnings": all(warnings) })
        }
    }
}

fn finding(finding: &Finding) -> Value {
    let Finding { origin, path, message, help } = finding;
    json!({ "origin": origin.to_string(), "path": path.to_string(), "message": message, "help": help })
}

/// What is printed, and the exit code. The verdict is the program's own: it loads the same way.
pub fn check(sources: &Sources) -> (String, u8) {
    match config::load(sources) {
        Ok(loaded) => (summary(&loaded), 0),
        Err(report) => (report.to_string(), EX_CONFIG),
    }
}

fn summary(loaded: &Loaded) -> String {
    let Loaded { config, file, warnings } = loaded;
    let file = match file {
        Some(file) => file.display().to_string(),
        None => "defaults and environment, no file".to_owned(),
    };
    let agents: Vec<&str> = config.agents.keys().map(String::as_str).collect();
    let models: Vec<String> = config
        .models
        .iter()
        .map(|(id, model)| format!("{id} ({}/{})", model.provider.as_str(), model.model))
        .collect();
    let discord = config.channels.discord.iter().filter(|(_, account)| account.enabled);
    let telegram = config.channels.telegram.iter().filter(|(_, account)| account.enabled);
    let local = config.channels.local.enabled.then(|| "local:main".to_owned());
    let discord = discord.map(|(name, _)| format!("discord:{name}"));
    let telegram = telegram.map(|(name, _)| format!("telegram:{name}"));
    let accounts: Vec<String> = discord.chain(telegram).chain(local).collect();
    let mut lines = vec![
        format!("ok: {file}"),
        format!("agents: {}", agents.join(", ")),
        format!("models: {}", models.join(", ")),
        format!("accounts: {}", accounts.join(", ")),
    ];
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}
