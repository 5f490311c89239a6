use shm::Shared;

#[derive(Shared)]
struct Job {
    size: u64,
    set_size: bool,
}

fn main() {}
