//! The built program in a real terminal: what a person types, and what a person sees.

use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, PtySize, native_pty_system};

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal with the program in it.
pub struct Terminal {
    keyboard: Box<dyn Write + Send>,
    seen: Receiver<Vec<u8>>,
    /// Everything seen so far, without the control sequences of the line editor.
    pub text: String,
    /// What a test has looked at already.
    read: usize,
    child: Box<dyn Child + Send + Sync>,
    // Closing it would hang the terminal up.
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    /// Starts `roundtable` with these arguments in a folder, with nothing in its environment but a home.
    pub fn start(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 40, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a terminal can be had");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_roundtable"));
        command.env_clear();
        command.env("HOME", folder);
        command.env("TERM", "xterm");
        for (name, value) in env {
            command.env(name, value);
        }
        command.cwd(folder);
        command.args(arguments);
        let child = pty.slave.spawn_command(command).expect("the program starts");
        drop(pty.slave);
        let mut screen = pty.master.try_clone_reader().expect("the terminal can be read");
        let keyboard = pty.master.take_writer().expect("the terminal can be written to");
        let (pieces, seen) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // An error is how a terminal says that the program has ended.
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                if pieces.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, seen, text: String::new(), read: 0, child, _master: pty.master }
    }

    /// Types, without the return key.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal is open");
        self.keyboard.flush().expect("the terminal is open");
    }

    /// Types a line.
    pub fn enters(&mut self, line: &str) {
        self.types(line);
        self.types("\r");
    }

    /// Waits until `text` is seen behind everything that was waited for before.
    pub fn sees(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.text[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            match self.seen.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.text.push_str(&plain(&String::from_utf8_lossy(&piece))),
                Err(RecvTimeoutError::Timeout) => panic!("{text:?} did not appear in:\n{}", self.text),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {text:?}:\n{}", self.text),
            }
        }
    }

    /// Waits for the end of the program.
    pub fn ends(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while self.seen.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
        self.child.wait().expect("the program has ended")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes the control sequences out: `ESC [ … letter`, and single characters.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                if chars.next() == Some('[') {
                    chars.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            '\r' | '\u{7}' => {}
            c => plain.push(c),
        }
    }
    plain
}
