// SPDX-License-Identifier: Apache-2.0
public import FFmpeg
public import Godwit

extension Pipeline {
    /// The chain of the design: analyse, transcode, publish, notify. A new algorithm is one more task
    /// behind the others of its stage.
    public static func audio(
        on broker: any Broker, with shop: Workshop, _ settings: Settings
    ) -> Pipeline {
        let publication = Publication()
        var pipeline = Pipeline("audio", on: broker, with: shop)
            .stage(
                "audio.analyse", options: settings.options("analyse"),
                WaveformGenerator(
                    zooms: settings.zooms, splitsChannels: settings.splits,
                    mode: settings.waveformMode),
                TrackAnalyzer())
        if let plan = settings.plan {
            pipeline = pipeline.stage(
                "audio.transcode", options: settings.options("transcode"), Transcoder(plan))
        }
        pipeline = pipeline.stage("audio.publish", options: settings.options("publish")) {
            track, work in try await publication.publish(track, work)
        }
        guard let url = settings.webhook else { return pipeline }
        let notifier = Notifier(
            url, secrets: settings.webhookSecrets, hosts: settings.webhookHosts)
        return pipeline.stage("audio.notify", options: settings.notifyOptions) {
            track, work in try await notifier.notify(track, work)
        }
    }
}

extension Settings {
    func options(_ stage: String) -> StageOptions {
        var options = StageOptions()
        options.concurrency = concurrency[stage] ?? 1
        options.lease = lease
        options.quiet = quiet
        options.slow = slow
        options.retry = .exponential(maxAttempts: attempts, cap: .seconds(600))
        options.mostMessages = mostMessages
        return options
    }

    /// An endpoint may be down for a day: twenty tries, the later ones an hour apart.
    var notifyOptions: StageOptions {
        var options = options("notify")
        options.retry = .exponential(maxAttempts: max(attempts, 20), cap: .seconds(3600))
        return options
    }

    /// Nil: nothing is transcoded.
    public var plan: TranscodePlan? {
        guard !profiles.isEmpty else { return nil }
        return TranscodePlan(
            profiles.map { profile in
                switch profile {
                case .hls: .hls(kilobits: [64, 128, 256])
                case .opus: .opus(kilobits: 96)
                case .preview: .preview(kilobits: 128)
                case .flac: .flac
                case .m4a: .m4a(kilobits: 256)
                }
            })
    }
}
