use shm::Shared;

#[derive(Shared)]
struct Sensor {
    many: (u8, u8, u8, u8, u8, u8, u8, u8, u8),
}

fn main() {}
