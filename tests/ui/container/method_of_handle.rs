use shm::Shared;

#[derive(Shared)]
struct Job {
    load: f64,
}

fn main() {}
