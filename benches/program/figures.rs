//! What was measured, beside what others were measured at.

use std::time::Duration;

/// The figures that there are of peers too.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Whose.
    pub name: String,
    /// From the start to the first poll, milliseconds.
    pub start: f64,
    /// Resident memory when nothing happens, MiB.
    pub idle: f64,
    /// What is added to an answer in a quiet chat, the median in milliseconds.
    pub added: f64,
    /// Answers a second.
    pub rate: f64,
    /// Of the processor for an answer, milliseconds.
    pub cpu: f64,
    /// From a finished child to its visible result, the median in milliseconds; `None`: it is not announced.
    pub announced: Option<f64>,
}

/// Other programs for the same, measured on such a machine by the same procedure.
fn peers() -> [Figures; 2] {
    let figures = |name: &str, [start, idle, added, rate, cpu]: [f64; 5], announced| Figures {
        name: name.to_owned(),
        start,
        idle,
        added,
        rate,
        cpu,
        announced,
    };
    [
        figures("OpenClaw", [13_600.0, 946.0, 999.0, 2.5, 398.0], Some(990.0)),
        figures("ZeroClaw", [74.0, 44.0, 13.0, 107.0, 14.0], None),
    ]
}

/// Prints ours and theirs as a table.
pub fn print_beside_peers(ours: Vec<Figures>) {
    let all: Vec<_> = ours.into_iter().chain(peers()).collect();
    let row = |what: &str, cell: &dyn Fn(&Figures) -> String| {
        let cells: String = all.iter().map(|figures| format!("{:>12}", cell(figures))).collect();
        println!("  {what:<34}{cells}");
    };
    println!("\nbeside peers, as they were measured on such a machine");
    row("", &|figures| figures.name.clone());
    row("start to first poll, ms", &|figures| format!("{:.0}", figures.start));
    row("idle memory, MiB", &|figures| format!("{:.0}", figures.idle));
    row("added latency, ms", &|figures| format!("{:.2}", figures.added));
    row("answers a second", &|figures| format!("{:.1}", figures.rate));
    row("CPU an answer, ms", &|figures| format!("{:.2}", figures.cpu));
    let announced = |figures: &Figures| figures.announced.map_or("never".into(), |time| format!("{time:.1}"));
    row("child done to visible result, ms", &announced);
}

/// A time in milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The time below which this share of the sorted times lies, in milliseconds.
pub fn share(sorted: &[Duration], share: f64) -> f64 {
    millis(sorted[((sorted.len() - 1) as f64 * share) as usize])
}
