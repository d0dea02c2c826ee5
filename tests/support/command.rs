//! A command of the built program, run to its end as an operator does.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::world::World;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Words.
    pub stderr: String,
}

impl Ran {
    /// The data, of a command that was given `--json` and ended well.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The words of a command that ended with exit code 1.
    pub fn failure(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:#?}");
        self.stderr.trim_end()
    }
}

impl World {
    /// Runs `roundtable <line>` with this world's configuration.
    pub async fn runs(&self, line: &str) -> Ran {
        self.begins(line, "").await
    }

    /// The same with something to read, and for itself: it may outlive the node and what the test does with the world.
    pub fn begins(&self, line: &str, input: &'static str) -> impl Future<Output = Ran> + Send + use<> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roundtable"));
        command.args(line.split_whitespace()).arg("--config").arg(&self.file);
        command.current_dir(self.folder()).env_clear().envs(&self.env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        async move {
            let mut child = command.spawn().expect("the program can be started; is it built?");
            let mut keyboard = child.stdin.take().expect("it is a pipe");
            // A program that reads nothing may be gone.
            let _ = keyboard.write_all(input.as_bytes()).await;
            drop(keyboard);
            let output = child.wait_with_output().await.expect("it ends");
            let text = |bytes| String::from_utf8(bytes).expect("it prints text");
            Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
        }
    }
}
