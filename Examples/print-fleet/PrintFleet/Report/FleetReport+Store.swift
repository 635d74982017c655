// SPDX-License-Identifier: Apache-2.0

extension DeviceState {
    /// The forecasts of all supplies as of the newest reading, by index: a pure function of the state.
    package func forecasts(of device: String) -> [Forecast] {
        supplies.map { forecast($0, device: device) }
    }
}

extension FleetReport {
    /// Takes a device as a store holds it: its state and the readings of its window, oldest first.
    ///
    /// Forecasts are the state's. Levels and events are those that the window's own readings show;
    /// what was before them is gone.
    package mutating func add(_ name: String, _ state: DeviceState, window: [Reading]) {
        let analysis = Analysis()
        var fresh = DeviceState()
        // Why not beyond the state's time: those are of a clock that leapt, and taken first such a
        // reading would make the others late.
        let window = window.filter { $0.time <= state.lastTime }
        for (place, reading) in window.enumerated() {
            let findings = analysis.analyse(
                current: reading, previous: window[..<place], state: &fresh)
            add(reading, findings)
        }
        set(name, state.forecasts(of: name), newest: state.lastTime)
    }
}
