//! Sessions as durable actors: the turn machine, its driver and the scheduler.
