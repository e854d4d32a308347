package dev.vfio.migration.sandbox.devices.region;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class RegionLayoutTest {
  @Test
  void theRegistersFollowEachOtherWithoutAGap() {
    int end = 0;
    for (RegionLayout register : RegionLayout.values()) {
      assertThat(register.offset()).as(register.name()).isEqualTo(end);
      end += register.width();
    }
    assertThat(end).isEqualTo(RegionLayout.END).isEqualTo(76);
    assertThat(Arrays.stream(RegionLayout.values()).map(RegionLayout::offset))
        .containsExactly(0, 4, 12, 20, 28, 36, 44, 52, 60, 68);
  }

  @Test
  void everyByteBelongsToTheRegisterItLiesIn() {
    for (int offset = 0; offset < RegionLayout.END; offset++) {
      RegionLayout register = RegionLayout.at(offset);
      assertThat(offset).isBetween(register.offset(), register.offset() + register.width() - 1);
    }
  }
}
