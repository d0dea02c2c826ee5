//! The node's small files in `data_dir`: its address, and the token of its API.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Secret};
use crate::store::private_folder;

/// Where a running node can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The process.
    pub pid: u32,
    /// Its API, `http://…`.
    pub url: String,
}

impl Running {
    /// The node that says it runs on this folder. It may be dead: ask its `/healthz`.
    pub fn find(data_dir: &Path) -> Option<Self> {
        Self::read(&NodeFile::path(data_dir))
    }

    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// This process, serving at `address`.
    fn here(address: SocketAddr) -> Self {
        Self { pid: std::process::id(), url: format!("http://{address}") }
    }
}

/// The file that says where this node is; removed when it ends.
pub struct NodeFile {
    path: PathBuf,
    address: SocketAddr,
}

impl NodeFile {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("node.json")
    }

    /// Says that this process serves at `address`.
    pub fn write(data_dir: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let path = Self::path(data_dir);
        private(&path, &serde_json::to_vec(&Running::here(address))?)?;
        Ok(Self { path, address })
    }

    /// The address in it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NodeFile {
    fn drop(&mut self) {
        // Another node of the same folder may have written its own since. A file that stays is found to be dead by
        // whoever reads it.
        let ours = Running::read(&self.path).is_some_and(|running| running == Running::here(self.address));
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the API's token is kept when the configuration gives none.
pub fn token_path(data_dir: &Path) -> PathBuf {
    data_dir.join("http-token")
}

/// The API's token: the configured one, else the kept one, else a new one.
pub(super) fn token(config: &Config) -> anyhow::Result<Secret> {
    if let Some(token) = &config.http.token {
        return Ok(token.clone());
    }
    let path = token_path(&config.node.data_dir);
    if let Some(kept) = fs::read_to_string(&path).ok().map(|text| text.trim().to_owned())
        && !kept.is_empty()
    {
        return Ok(Secret::from(kept));
    }
    let token = uuid::Uuid::new_v4().simple().to_string();
    private(&path, token.as_bytes())?;
    Ok(Secret::from(token))
}

/// Writes a file that only this user can read.
fn private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(content)
    };
    write().with_context(|| format!("can't write {} (node.data_dir)", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_ends_leaves_the_file_of_another_alone() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (first, second) = ("127.0.0.1:1001".parse()?, "127.0.0.1:1002".parse()?);
        let old = NodeFile::write(folder.path(), first)?;
        let new = NodeFile::write(folder.path(), second)?;
        drop(old);
        let found = Running::find(folder.path()).map(|running| running.url);
        assert_eq!(found.as_deref(), Some("http://127.0.0.1:1002"));
        drop(new);
        assert!(Running::find(folder.path()).is_none());
        Ok(())
    }
}
