use shm::Shared;

struct Borrowed<'a> {
    x: &'a u8,
}

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: Borrowed<'static>,
}

fn main() {}
