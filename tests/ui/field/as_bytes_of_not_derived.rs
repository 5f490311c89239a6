use shm::Shared;

struct Rgb(u8, u8, u8);

#[derive(Shared)]
struct Sensor {
    #[shared(as_bytes)]
    colour: Rgb,
}

fn main() {}
