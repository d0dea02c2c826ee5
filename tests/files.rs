//! What the program leaves on the disk is for the eyes of whoever runs it.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::process::Process;
use crate::support::requests::next_text;
use crate::support::terminal::Terminal;
use crate::support::world::World;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Every file that holds something, with who may do what with it.
fn readable_by_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("its files are named").path();
        let holds = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        if holds && mode(&path) & 0o077 != 0 {
            found.push(format!("{} {:o}", path.display(), mode(&path)));
        }
    }
    found
}

#[test]
fn nobody_else_reads_what_was_said_in_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &[], &[("ROUNDTABLE_HTTP__LISTEN", "127.0.0.1:0")]);
    terminal.sees("you ›");
    terminal.enters("Who are you?");
    terminal.sees("Manager");
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("roundtable.db-wal")), 0o600);
    assert_eq!(readable_by_others(&data), Vec::<String>::new());
    terminal.enters("/quit");
    assert!(terminal.ends().success());
}

/// Also in a folder that was there, and that others may look into.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_what_a_node_stores() {
    let world = World::setting().without_node().await;
    std::fs::create_dir(world.data_dir()).unwrap();
    std::fs::set_permissions(world.data_dir(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let node = Process::start(&world, None).unwrap();
    let ann = world.telegram.user("ann");
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    assert_eq!(mode(&world.data_dir().join("roundtable.db-wal")), 0o600);
    assert_eq!(readable_by_others(&world.data_dir()), Vec::<String>::new());
    assert!(!node.said().contains("to the bot in a private chat within"), "{}", node.said());
    node.kill_nine().await.unwrap();
    world.end().await;
}
