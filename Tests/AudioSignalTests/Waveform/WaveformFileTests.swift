// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Testing

@Suite struct `A waveform file` {
    private func random(_ dice: inout Dice) throws -> Waveform {
        let channels = Int.random(in: 1...5, using: &dice)
        let frames = Int.random(in: 0...3_000, using: &dice)
        return try drawn(
            dice.samples(frames * channels, .integer(bits: 16)),
            rate: Int.random(in: 1...192_000, using: &dice), channels: channels,
            .integer(bits: 16),
            .init(
                zoom: .samplesPerPixel(Int.random(in: 2...600, using: &dice)),
                bits: Bool.random(using: &dice) ? 8 : 16,
                splitChannels: Bool.random(using: &dice)))
    }

    private func read(_ text: String) throws -> Waveform.Reading {
        try Waveform.read(Array(text.utf8).span)
    }

    @Test func `what was written is read, and written the same again`() throws {
        var dice = Dice(10)
        for _ in 0..<200 {
            let waveform = try random(&dice)
            for form in Waveform.FileFormat.allCases {
                for bits in [8, 16] {
                    let bytes = waveform.bytes(as: form, bits: bits)
                    let reading = try Waveform.read(bytes.span)
                    #expect(reading.warnings.isEmpty)
                    #expect(reading.waveform.bits == bits)
                    #expect(reading.waveform.bytes(as: form) == bytes)
                    if bits == 16 {
                        #expect(
                            reading.waveform.bytes(as: .dat, bits: 8)
                                == waveform.bytes(as: .dat, bits: 8))
                    }
                    // From one kind to the other and back.
                    let other: Waveform.FileFormat = form == .dat ? .json : .dat
                    let turned = try Waveform.read(reading.waveform.bytes(as: other).span)
                    #expect(turned.waveform == reading.waveform)
                }
            }
        }
    }

    @Test func `values of 8 bits are multiplied by 256`() throws {
        let reading = try read(
            """
            { "version": 1, "sample_rate": 44100, "samples_per_pixel": 512,
              "bits": 8, "length": 2, "extra": {"a": [1, "]}", {}]}, "data": [-128, 127, -1, 0] }
            """)
        #expect(reading.warnings.isEmpty)
        #expect(reading.waveform.channels == 1)
        #expect(reading.waveform.pair(0) == (-32_768, 32_512))
        #expect(reading.waveform.pair(1) == (-256, 0))
    }

    @Test func `the order of a JSON file's words is free`() throws {
        let reading = try read(
            #"{"data":[1,2,3,4],"length":1,"bits":16,"samples_per_pixel":2,"sample_rate":1,"channels":2,"version":2}"#
        )
        #expect(reading.waveform.channels == 2)
        #expect(reading.waveform.pair(0, channel: 1) == (3, 4))
    }

    @Test func `a wrong length and a torn pixel are warnings`() throws {
        let sound = [Float](repeating: 0.5, count: 1_000)
        let whole = try drawn(sound).bytes(as: .dat)
        let torn = try Waveform.read(Array(whole.dropLast(3)).span)
        #expect(torn.waveform.length == 3)
        #expect(torn.warnings.count == 2)
        let longer = try Waveform.read((whole + [0, 0, 1, 0]).span)
        #expect(longer.waveform.length == 5)
        #expect(longer.warnings == ["the header says 4 pixels and the data has 5: the data counts"])
        let text = try read(
            #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":9,"data":[1,2,3]}"#
        )
        #expect(text.waveform.length == 1)
        #expect(text.warnings.count == 2)
    }

    /// The fields of a .dat header, one of them changed.
    private func header(_ index: Int, _ value: Int32, version: Int32 = 2) -> [UInt8] {
        var fields: [Int32] = [version, 0, 44_100, 256, 1, 2]
        if version == 1 { fields.removeLast() }
        fields[index] = value
        return fields.flatMap { field in
            (0..<4).map { UInt8(truncatingIfNeeded: field >> (8 * Int32($0))) }
        } + [0, 0, 0, 0, 0, 0, 0, 0]
    }

    @Test func `headers that break the format are refused`() throws {
        #expect(try Waveform.read(header(0, 2).span).waveform.length == 1)
        #expect(try Waveform.read(header(0, 1, version: 1).span).waveform.length == 2)
        let refused: [(Int, [Int32])] = [
            (0, [0, 3, -1, .max]), (2, [0, -1, .min]), (3, [1, 0, -5]), (5, [0, 25, -1, .max]),
        ]
        for (index, values) in refused {
            for value in values {
                #expect(throws: WaveformError.self, "\(index) \(value)") {
                    try Waveform.read(header(index, value).span)
                }
            }
        }
        // A length is only a claim.
        #expect(try Waveform.read(header(4, -1).span).waveform.length == 1)
        #expect(throws: WaveformError.self) { try Waveform.read([UInt8]().span) }
    }

    @Test(arguments: [
        "{", "{}", "{}{}", "[]x", #"{"version":2}"#,
        #"{"version":3,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":0,"data":[]}"#,
        #"{"version":2,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":0,"data":[]}"#,
        #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":12,"length":0,"data":[]}"#,
        #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":8,"length":1,"data":[-129,0]}"#,
        #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":1,"data":[-32769,0]}"#,
        #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":1,"data":[1.5,0]}"#,
        #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":1,"data":[1,0}"#,
        #"{"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":1,"data":[1,0],"data":[]}"#,
        #"{"version":2,"version":2,"channels":1,"sample_rate":1,"samples_per_pixel":2,"bits":16,"length":1,"data":[1,0]}"#,
        #"{"version":99999999999999999999,"channels":1}"#, #"{"a":}"#, #"{"a":]}"#, #"{"a":[}"#,
        #"{"a"#, #"{"a\"#, "\u{0}\u{0}", "RIFFxxxxWAVEfmt ",
    ])
    func `what is no waveform is refused with a sentence`(_ text: String) {
        let error = #expect(throws: WaveformError.self) { try read(text) }
        #expect((error?.description.count ?? 0) > 20)
    }

    @Test func `files that were cut or changed are read or refused, and nothing worse`() throws {
        var dice = Dice(11)
        var (read, refused) = (0, 0)
        for round in 0..<6_000 {
            let form: Waveform.FileFormat = round % 2 == 0 ? .dat : .json
            var bytes = try drawn(
                dice.samples(600, .integer(bits: 16)), channels: 2, .integer(bits: 16),
                .init(bits: round % 4 < 2 ? 8 : 16, splitChannels: round % 3 == 0)
            ).bytes(as: form)
            if Bool.random(using: &dice) {
                bytes.removeLast(Int.random(in: 0...bytes.count, using: &dice))
            }
            for _ in 0..<Int.random(in: 0...4, using: &dice) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &dice)
                switch Int.random(in: 0...2, using: &dice) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &dice)
                case 1:
                    bytes.insert(
                        Array("[]{}\",:-9\\".utf8).randomElement(using: &dice) ?? 0, at: place)
                default: bytes.remove(at: place)
                }
            }
            do {
                let reading = try Waveform.read(bytes.span)
                let same = try Waveform.read(reading.waveform.bytes(as: form).span)
                #expect(same.waveform == reading.waveform)
                _ = reading.waveform.lines(width: 9, height: 2)
                read += 1
            } catch {
                refused += 1
            }
        }
        #expect(read > 500 && refused > 500, "\(read) read, \(refused) refused")
    }

    @Test func `deep nesting takes no stack`() throws {
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(throws: WaveformError.self) { try read(#"{"a":"# + deep) }
    }
}

@Suite struct `Rescaling` {
    @Test func `to a multiple is what the samples would have given`() throws {
        var dice = Dice(12)
        for _ in 0..<100 {
            let (zoom, times) = (
                Int.random(in: 2...50, using: &dice), Int.random(in: 1...9, using: &dice)
            )
            let channels = Int.random(in: 1...3, using: &dice)
            let sound = dice.samples(
                channels * Int.random(in: 0...4_000, using: &dice), .integer(bits: 16))
            for amplitude in [WaveformOptions.Amplitude.factor(0.3), .auto] {
                var options = WaveformOptions(
                    zoom: .samplesPerPixel(zoom), bits: 8, splitChannels: true,
                    amplitude: amplitude)
                let fine = try drawn(sound, channels: channels, .integer(bits: 16), options)
                options.zoom = .samplesPerPixel(zoom * times)
                let coarse = try drawn(sound, channels: channels, .integer(bits: 16), options)
                #expect(try fine.rescaled(to: zoom * times) == coarse)
                var steps = fine
                for step in 1...times where times % step == 0 { try steps.coarsen(to: zoom * step) }
                #expect(steps == coarse)
            }
        }
    }

    @Test func `a copy leaves the original as it was, over many pieces too`() throws {
        var dice = Dice(13)
        let sound = dice.samples(200_000, .integer(bits: 16))
        let fine = try drawn(sound, .integer(bits: 16), .init(zoom: .samplesPerPixel(2)))
        let before = fine.bytes(as: .dat)
        let coarse = try drawn(sound, .integer(bits: 16), .init(zoom: .samplesPerPixel(6)))
        #expect(try fine.rescaled(to: 6) == coarse)
        #expect(fine.bytes(as: .dat) == before)
        #expect(try fine.rescaled(to: 2) == fine)
    }

    @Test func `to a finer zoom is refused`() throws {
        let waveform = try drawn([0, 0, 0, 0])
        #expect(throws: WaveformError.self) { try waveform.rescaled(to: 255) }
        #expect(throws: WaveformError.self) { try waveform.rescaled(to: 0) }
        #expect(throws: WaveformError.self) { try waveform.rescaled(to: .max) }
        #expect(try waveform.rescaled(to: Int(Int32.max)).length == 1)
    }
}
