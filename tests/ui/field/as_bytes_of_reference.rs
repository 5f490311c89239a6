use shm::Shared;

#[derive(Shared)]
struct Sensor {
    #[shared(as_bytes)]
    raw: &'static [u8; 4],
}

fn main() {}
