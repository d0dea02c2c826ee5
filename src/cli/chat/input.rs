//! What is typed: a thread reads it, since no read of a terminal can be broken off. It ends with the input, or
//! with the process.

use std::io::{self, BufRead as _, Write as _};

use anyhow::Context as _;
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter as _};
use tokio::sync::{mpsc, oneshot};

use super::lines::is_quit;
use super::screen::{self, Print};

/// Lines that may wait to be sent. Full: reading waits.
const QUEUE: usize = 64;

const PROMPT: &str = "you › ";

/// The lines of a terminal, and how to print while one is being typed. The first prompt comes at `begin`.
pub(super) fn terminal(begin: oneshot::Receiver<()>) -> anyhow::Result<(mpsc::Receiver<String>, Print)> {
    let config = rustyline::Config::builder().auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config).context("the terminal can't be used")?;
    let print = match editor.create_external_printer() {
        Ok(mut printer) => Box::new(move |text| printer.print(text).map_err(io::Error::other)) as Print,
        // A terminal without cursor movement: what is printed lands in the line that is being typed.
        Err(_) => screen::stdout(),
    };
    let (lines, typed) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        if begin.blocking_recv().is_err() {
            return;
        }
        if let Err(error) = edit(&mut editor, &lines) {
            eprintln!("The terminal can't be read: {error}.");
        }
    });
    Ok((typed, print))
}

/// Until Ctrl-D, `/quit`, or Ctrl-C twice.
fn edit(editor: &mut DefaultEditor, lines: &mpsc::Sender<String>) -> Result<(), ReadlineError> {
    let mut interrupted = false;
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) if !interrupted => {
                interrupted = true;
                writeln!(io::stdout(), "Ctrl-C again, Ctrl-D or /quit ends the chat.")?;
                continue;
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error),
        };
        interrupted = false;
        if is_quit(&line) || (!line.trim().is_empty() && lines.blocking_send(line).is_err()) {
            return Ok(());
        }
    }
}

/// The lines of a pipe or file.
pub(super) fn pipe() -> mpsc::Receiver<String> {
    let (lines, typed) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        if let Err(error) = copy(&mut io::stdin().lock(), &lines) {
            eprintln!("The input can't be read: {error}.");
        }
    });
    typed
}

fn copy(from: &mut impl io::BufRead, lines: &mpsc::Sender<String>) -> io::Result<()> {
    for line in from.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end_matches('\r').to_owned();
        if is_quit(&line) || (!line.trim().is_empty() && lines.blocking_send(line).is_err()) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gives_its_lines_until_it_is_told_to_quit() {
        let (lines, mut typed) = mpsc::channel(8);
        copy(&mut &b"one\r\n\n  \n\xfftwo\n/quit\nthree\n"[..], &lines).unwrap();
        drop(lines);
        let read: Vec<String> = std::iter::from_fn(|| typed.blocking_recv()).collect();
        assert_eq!(read, ["one", "\u{fffd}two"]);
    }
}
