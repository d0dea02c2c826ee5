//! Where PostgreSQL's programs are. Also compiled into the integration tests, so that they find the same
//! ones when somebody runs them without `cargo xtask test`.

use std::path::{Path, PathBuf};

/// Folders of folders of programs, as packages and installers make them: `{0}/{1}*/{2}`.
const PLACES: [(&str, &str, &str); 8] = [
    ("/usr/lib/postgresql", "", "bin"),                      // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                               // postgresql.org's RPMs
    ("/opt/homebrew/opt", "postgresql", "bin"),              // Homebrew, ARM
    ("/usr/local/opt", "postgresql", "bin"),                 // Homebrew, Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"), // Homebrew, Linux
    ("/opt", "postgresql", "bin"),                           // unpacked by hand
    ("/Library/PostgreSQL", "", "bin"),                      // EDB's installer
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"), // Postgres.app
];

/// The folder with `initdb` and `postgres`: the one that `ROUNDTABLE_TEST_PG_BIN` names, else on the PATH,
/// else the newest in the usual places. `None` also when `ROUNDTABLE_TEST_PG` is `none`.
pub fn find_postgres() -> Option<PathBuf> {
    if std::env::var_os("ROUNDTABLE_TEST_PG").is_some_and(|word| word == "none") {
        return None;
    }
    if let Some(named) = std::env::var_os("ROUNDTABLE_TEST_PG_BIN") {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.extend(usual());
    folders.into_iter().find(|folder| complete(folder))
}

fn complete(folder: &Path) -> bool {
    folder.join("initdb").is_file() && folder.join("postgres").is_file()
}

fn usual() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix, bin) in PLACES {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                found.push((version(&name), entry.path().join(bin)));
            }
        }
    }
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The first number in a folder's name: `pgsql-17`, `postgresql@16`, `15`.
fn version(name: &str) -> u32 {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}
