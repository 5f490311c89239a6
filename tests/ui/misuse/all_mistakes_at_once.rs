use shm::Shared;

#[derive(Shared)]
#[shared(nam = "plant.Sensor", bound())]
struct Sensor {
    id: usize,
    #[shared(renam = "x")]
    label: &'static str,
    samples: Vec<f64>,
    good: f64,
}

fn main() {}
