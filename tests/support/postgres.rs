//! A private PostgreSQL server for the tests, shared by all test processes that run at the same moment.
//!
//! Every process that uses it holds a shared lock on one file while it lives, however it ends. A guard
//! beside the server, a shell that survives them all, stops it when it gets that lock for itself. So the
//! first process starts the server, the last one's end stops it, and nothing is left behind by a kill.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

#[path = "../../xtask/src/find_postgres.rs"]
pub mod find_postgres;

use find_postgres::find_postgres;

/// How long the server may take to start; a busy machine needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server and stops it when no process holds the lock any more. Under the lock, so that nobody
/// joins a server that is about to go. Arguments: the programs' folder, ours, the port, `on` or `off`.
const GUARD: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -h 127.0.0.1 -p "$3" -c fsync="$4" -c max_connections=500 \
    -c shared_buffers=32MB &
server=$!
while sleep 1; do
    flock -n -x "$2/users" sh -c '
        kill -INT "$1"
        while [ -e "$2/data/postmaster.pid" ] && kill -0 "$1"; do sleep 0.1; done
        rm -rf "$2/data"' stop "$server" "$2" && exit
done"#;

/// The server.
#[derive(Debug)]
pub struct Server {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Held while this process lives; its lock says that the server is used.
    _users: File,
}

/// The server, started by whoever asks first. `None`: there is no PostgreSQL on this machine, which is said
/// once, loudly. Its commits wait for no disk; [`Server::fresh_durable_database`] is on another one.
pub fn postgres() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let found = find_postgres();
        if found.is_none() {
            eprintln!("\n*** NOT RUN ON POSTGRESQL: no `initdb` and `postgres` here. `cargo xtask test` says more. ***\n");
        }
        found.map(|bin| Server::join(&bin, "off"))
    });
    server.as_ref()
}

impl Server {
    /// Uses the server that runs, or starts it.
    fn join(bin: &Path, fsync: &str) -> Self {
        Self::try_join(bin, fsync).unwrap_or_else(|error| panic!("PostgreSQL in {}: {error}", bin.display()))
    }

    fn try_join(bin: &Path, fsync: &str) -> Result<Self, String> {
        let mine = tempfile::tempfile().and_then(|file| file.metadata());
        let me = mine.map_err(|error| format!("no temporary file: {error}"))?.uid();
        // In the system's folder for temporary files: short enough for a socket, and open to another user.
        let mut hash = DefaultHasher::new();
        (env!("CARGO_TARGET_TMPDIR"), bin, fsync, me).hash(&mut hash);
        let folder = std::env::temp_dir().join(format!("roundtable-pg-{:016x}", hash.finish()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let starting = open(&folder.join("starting"))?;
        starting.lock().map_err(|error| error.to_string())?;
        let users = open(&folder.join("users"))?;
        // Waits for a guard that is stopping the server.
        users.lock_shared().map_err(|error| error.to_string())?;
        let port = match running(&folder) {
            Some(port) => port,
            // PostgreSQL refuses to run as root.
            None => start(bin, &folder, if me == 0 { Some(unprivileged()?) } else { None }, fsync)?,
        };
        Ok(Self { bin: bin.to_owned(), folder, port, _users: users })
    }

    /// Makes an empty database on a server whose commits wait for the disk, as in real life: for
    /// measurements. Returns its address.
    pub async fn fresh_durable_database(&self) -> String {
        static DURABLE: OnceLock<Server> = OnceLock::new();
        DURABLE.get_or_init(|| Self::join(&self.bin, "on")).fresh_database().await
    }

    /// Its address for one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and returns its address.
    pub async fn fresh_database(&self) -> String {
        static SWEPT: AtomicBool = AtomicBool::new(false);
        let mut admin = self.connect("postgres").await;
        if !SWEPT.swap(true, Ordering::Relaxed) {
            sweep(&mut admin).await;
        }
        let name = format!("t_{}_{}", std::process::id(), uuid::Uuid::now_v7().simple());
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut admin).await.expect("a database can be made");
        self.url(&name)
    }

    /// A connection of the tests' own to one of its databases.
    pub async fn connect(&self, database: &str) -> PgConnection {
        let socket = PgConnectOptions::new().socket(&self.folder).port(self.port).username("postgres");
        socket.database(database).disable_statement_logging().connect().await.expect("the server runs")
    }
}

/// Drops the databases of processes that are gone, so that a run needs the disk of a few at a time.
async fn sweep(admin: &mut PgConnection) {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return;
    }
    let names: Vec<String> = sqlx::query_scalar(r"SELECT datname FROM pg_database WHERE datname LIKE 't\_%'")
        .fetch_all(&mut *admin)
        .await
        .expect("databases can be listed");
    for name in names {
        if !processes.join(name.split('_').nth(1).unwrap_or_default()).exists() {
            // Another process may be sweeping too.
            let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            let _ = sqlx::query(drop).execute(&mut *admin).await;
        }
    }
}

/// The user and group that PostgreSQL runs as when we are root.
pub fn unprivileged() -> Result<(u32, u32), String> {
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    find("postgres").or_else(|| find("nobody")).ok_or_else(|| "no user to run it as".to_owned())
}

/// Opens a lock file that every user may lock.
fn open(path: &Path) -> Result<File, String> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
    // Only its owner can do this, who has done it then.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o666));
    Ok(file)
}

/// The port of the server that runs in the folder and answers.
fn running(folder: &Path) -> Option<u16> {
    // https://www.postgresql.org/docs/current/storage-file-layout.html: port and state, lines 4 and 8.
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let port = lines.get(3).filter(|_| lines.get(7) == Some(&"ready"))?.parse().ok()?;
    UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).ok().map(|_| port)
}

/// Makes a new server and waits until it answers.
fn start(bin: &Path, folder: &Path, user: Option<(u32, u32)>, fsync: &str) -> Result<u16, String> {
    if !Command::new("flock").arg("--version").stdout(Stdio::null()).status().is_ok_and(|ran| ran.success()) {
        return Err("the program `flock` (util-linux) is needed to share it".to_owned());
    }
    let data = folder.join("data");
    let _ = fs::remove_dir_all(&data);
    if let Some((uid, gid)) = user {
        chown(folder, Some(uid), Some(gid)).map_err(|error| error.to_string())?;
    }
    let log = File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let as_user = |program: OsString| {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        let output = || log.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
        command.current_dir("/").stdin(Stdio::null()).stdout(output()).stderr(output());
        command
    };
    let why = |what: &str| format!("{what}; {}/log says why", folder.display());
    let mut initdb = as_user(bin.join("initdb").into());
    initdb.args([
        "--username=postgres",
        "--auth=trust",
        "--locale=C",
        "--encoding=UTF8",
        "--no-sync",
        "--pgdata",
    ]);
    match initdb.arg(&data).status() {
        Ok(status) if status.success() => {}
        outcome => return Err(why(&format!("initdb failed ({outcome:?})"))),
    }
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .map_err(|e| e.to_string())?
        .port();
    let mut guard = as_user("sh".into());
    guard.args(["-c", GUARD, "guard"]).arg(bin).arg(folder).args([&port.to_string(), fsync]);
    // Out of reach of the signals that end a test run.
    guard.process_group(0).spawn().map_err(|error| format!("no shell: {error}"))?;
    let begun = Instant::now();
    while running(folder) != Some(port) {
        if begun.elapsed() > PATIENCE {
            return Err(why("the server does not start"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(port)
}
