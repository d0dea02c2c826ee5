//! What the machine itself can do, to stand beside what is measured.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a small append can be made durable in a second.
pub fn fsyncs(dir: &Path) -> Result<f64> {
    let mut file = fs::File::create(dir.join("fsync"))?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// A byte to a thread of this process and back over TCP, the mean of many.
pub fn loopback() -> Result<Duration> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let echo = std::thread::spawn(move || -> Result<()> {
        let (mut peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        let mut byte = [0];
        while peer.read(&mut byte)? == 1 {
            peer.write_all(&byte)?;
        }
        Ok(())
    });
    let mut peer = std::net::TcpStream::connect(address)?;
    peer.set_nodelay(true)?;
    let (begun, rounds) = (Instant::now(), 10_000);
    for _ in 0..rounds {
        peer.write_all(&[1])?;
        peer.read_exact(&mut [0])?;
    }
    let took = begun.elapsed() / rounds;
    drop(peer);
    echo.join().expect("the echo does not panic")?;
    Ok(took)
}
