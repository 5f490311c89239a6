use shm::Shared;

#[derive(Shared)]
struct Sensor(u8, (u8, &'static str));

fn main() {}
