// SPDX-License-Identifier: Apache-2.0
// The oracle of loudness_table.py: libebur128 (MIT) on f32le samples from standard input.
// libebur128_meter RATE CHANNELS < SAMPLES
// Its own loudness range looks at the short-term loudness once a second. range_100ms is EBU Tech 3342 on the
// same library's short-term loudness taken ten times a second.
#include <ebur128.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int ascending(const void *one, const void *two) {
    double a = *(const double *)one, b = *(const double *)two;
    return (a > b) - (a < b);
}

static double range_of(double *levels, size_t count) {
    double power = 0;
    size_t kept = 0, passed = 0;
    for (size_t i = 0; i < count; i++)
        if (levels[i] >= -70) { levels[kept++] = levels[i]; power += pow(10, levels[i] / 10); }
    double gate = 10 * log10(power / (double)kept) - 20;
    for (size_t i = 0; i < kept; i++)
        if (levels[i] >= gate) levels[passed++] = levels[i];
    if (!passed) return 0;
    qsort(levels, passed, sizeof(double), ascending);
    return levels[(size_t)((double)(passed - 1) * 0.95 + 0.5)]
           - levels[(size_t)((double)(passed - 1) * 0.10 + 0.5)];
}

int main(int count, char **words) {
    if (count != 3) return 2;
    unsigned long rate = strtoul(words[1], NULL, 10);
    unsigned channels = (unsigned)strtoul(words[2], NULL, 10);
    int mode = EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK;
    ebur128_state *state = ebur128_init(channels, rate, mode);
    size_t hop = rate / 100;
    float *samples = malloc(hop * channels * sizeof(float));
    if (!state || !samples) return 1;
    double momentary = -HUGE_VAL, short_term = -HUGE_VAL, value;
    size_t frames, total = 0, levels = 0;
    double *level = malloc(1000000 * sizeof(double));
    if (!level) return 1;
    while ((frames = fread(samples, channels * sizeof(float), hop, stdin)) > 0) {
        if (ebur128_add_frames_float(state, samples, frames)) return 1;
        total += frames;
        if (total >= 40 * hop && !ebur128_loudness_momentary(state, &value) && value > momentary)
            momentary = value;
        if (total >= 300 * hop && !ebur128_loudness_shortterm(state, &value) && value > short_term)
            short_term = value;
        if (total >= 300 * hop && total % (10 * hop) == 0 && levels < 1000000)
            level[levels++] = value;
    }
    double integrated, range, peak = 0;
    if (ebur128_loudness_global(state, &integrated) || ebur128_loudness_range(state, &range)) return 1;
    for (unsigned channel = 0; channel < channels; channel++)
        if (!ebur128_true_peak(state, channel, &value) && value > peak) peak = value;
    printf("{\"integrated\":%f,\"range\":%f,\"true_peak\":%f,\"momentary_max\":%f,\"short_term_max\":%f,"
           "\"range_100ms\":%f}\n",
           integrated, range, 20 * log10(peak), momentary, short_term, range_of(level, levels));
    free(level);
    free(samples);
    ebur128_destroy(&state);
    return 0;
}
