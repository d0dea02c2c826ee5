//! Tests of the whole way from text to configuration.

mod example;
mod layering;
mod mutations;
mod reports;
mod warnings;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Config, Sources, load};

/// A working directory with a `roundtable.toml` (none when it is empty), and an environment.
struct Given {
    folder: TempDir,
    sources: Sources,
}

fn given(file: &str, env: &[(&str, &str)]) -> Given {
    let folder = tempfile::tempdir().unwrap();
    if !file.is_empty() {
        write_private(&folder.path().join("roundtable.toml"), file);
    }
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { cwd: folder.path().to_owned(), env, ..Sources::default() };
    Given { folder, sources }
}

fn write_private(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// The configuration, which must be right.
fn loaded(file: &str, env: &[(&str, &str)]) -> Config {
    load(&given(file, env).sources).map(|loaded| loaded.config).unwrap_or_else(|report| panic!("{report}"))
}

/// The report, which must be there.
fn report(file: &str, env: &[(&str, &str)]) -> String {
    match load(&given(file, env).sources) {
        Ok(_) => panic!("this was taken:\n{file}"),
        Err(report) => report.to_string(),
    }
}
