use shm::Shared;

#[derive(Shared)]
struct Sensor {
    id: u64,
    field: std::borrow::Cow<'static, str>,
}

fn main() {}
