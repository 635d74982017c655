// SPDX-License-Identifier: Apache-2.0
public import FFmpeg

extension FFmpeg: MediaReader {
    public var toolVersions: [String: String] { ["ffmpeg": version] }
}
