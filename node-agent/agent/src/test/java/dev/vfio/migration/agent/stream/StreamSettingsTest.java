package dev.vfio.migration.agent.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The defaults are those of docs/state-stream.md, and absurd settings are refused by name. */
class StreamSettingsTest {
  private static final int MIB = 1 << 20;

  @Test
  void theDefaultsAreUnchanged() {
    assertThat(StreamSettings.defaults())
        .isEqualTo(
            new StreamSettings(
                8 * MIB,
                8,
                4,
                16,
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                Duration.ofSeconds(15),
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                Duration.ofSeconds(2),
                0,
                0,
                0));
  }

  @Test
  void largeChunksGetFewerBuffers() {
    StreamSettings settings = StreamSettings.defaults();
    assertThat(settings.sendBuffersFor(64 * 1024)).isEqualTo(8);
    assertThat(settings.sendBuffersFor(4 * MIB)).isEqualTo(8);
    assertThat(settings.sendBuffersFor(8 * MIB)).isEqualTo(4);
    assertThat(settings.sendBuffersFor(64 * MIB)).isEqualTo(2);
    assertThat(settings.sendWindowFor(8 * MIB)).isEqualTo(8);
    assertThat(settings.sendWindowFor(64 * MIB)).isEqualTo(4);
    assertThat(settings.receiveBuffersFor(8 * MIB)).isEqualTo(4);
    assertThat(settings.receiveBuffersFor(64 * MIB)).isEqualTo(2);
  }

  @Test
  void manyStreamsGetSmallerChunksAndFewerBuffersEach() {
    StreamSettings settings = StreamSettings.defaults();
    assertThat(settings.receiveBuffersFor(MIB, 16)).isEqualTo(4);
    assertThat(settings.receiveBuffersFor(4 * MIB, 16)).isEqualTo(2);
    assertThat(settings.receiveBuffersFor(16 * MIB, 16)).isEqualTo(2);
    assertThat(StreamSettings.chunkBytes(1, 1)).isEqualTo(MIB);
    assertThat(StreamSettings.chunkBytes(16 * MIB, 1)).isEqualTo(16 * MIB);
    assertThat(StreamSettings.chunkBytes(16 * MIB, 4)).isEqualTo(8 * MIB);
    assertThat(StreamSettings.chunkBytes(16 * MIB, 16)).isEqualTo(2 * MIB);
    assertThat(StreamSettings.chunkBytes(Long.MAX_VALUE, 64)).isEqualTo(MIB);
  }

  @Test
  void absurdSettingsAreNamed() {
    StreamSettings settings = StreamSettings.defaults();
    assertThatThrownBy(() -> settings.withMaximumChunkBytes(4095))
        .hasMessageContaining("maximumChunkBytes is 4095; 4096 to 67108864 are allowed");
    assertThatThrownBy(() -> settings.withBuffers(1, 4)).hasMessageContaining("sendBuffers is 1");
    assertThatThrownBy(() -> settings.withBuffers(8, 1025))
        .hasMessageContaining("receiveBuffers is 1025");
    assertThatThrownBy(
            () -> settings.withIdleAndClose(Duration.ofMillis(99), Duration.ofSeconds(1)))
        .hasMessageContaining("idleTimeout is PT0.099S; 100 ms to 24 days are allowed");
    assertThatThrownBy(
            () ->
                settings.withConnectionTimeouts(
                    Duration.ZERO, Duration.ofSeconds(1), Duration.ofSeconds(1)))
        .hasMessageContaining("connectTimeout");
    assertThatThrownBy(() -> settings.withResume(Duration.ZERO, Duration.ofSeconds(1)))
        .hasMessageContaining("resumeTime is PT0S; 1 ms to 24 days are allowed");
    assertThatThrownBy(() -> settings.withResume(Duration.ofSeconds(1), Duration.ZERO))
        .hasMessageContaining("pausedResumeTime is PT0S");
  }
}
