package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.device.MigrationInterface;
import java.util.function.IntFunction;

/** The two migration regions: what distinguishes them from other regions and from each other. */
enum RegionFormat {
  OF_2018(
      MigrationInterface.REGION_2018,
      MigrationRegionLayout.REGION_TYPE,
      MigrationRegionLayout.REGION_SUBTYPE,
      MigrationRegionLayout.SIZE,
      "type 1<<30 and subtype 1",
      "the 2018 migration interface",
      true,
      MigrationRegionLayout.DATA_OFFSET,
      MigrationRegionLayout.DATA_SIZE,
      MigrationRegionLayout::nameOf),
  V1(
      MigrationInterface.REGION_V1,
      RegionV1Layout.REGION_TYPE,
      RegionV1Layout.REGION_SUBTYPE,
      RegionV1Layout.SIZE,
      "type 3 and subtype 1",
      "the migration interface of Linux 5.8 to 5.17",
      false,
      RegionV1Layout.DATA_OFFSET,
      RegionV1Layout.DATA_SIZE,
      RegionV1Layout::nameOf);

  private final MigrationInterface migrationInterface;
  private final int type;
  private final int subtype;
  private final int structureBytes;
  private final String signature;
  private final String title;
  private final boolean tellsDirtyPages;
  private final int dataOffset;
  private final int dataSize;
  private final IntFunction<String> fieldNames;

  RegionFormat(
      MigrationInterface migrationInterface,
      int type,
      int subtype,
      int structureBytes,
      String signature,
      String title,
      boolean tellsDirtyPages,
      int dataOffset,
      int dataSize,
      IntFunction<String> fieldNames) {
    this.migrationInterface = migrationInterface;
    this.type = type;
    this.subtype = subtype;
    this.structureBytes = structureBytes;
    this.signature = signature;
    this.title = title;
    this.tellsDirtyPages = tellsDirtyPages;
    this.dataOffset = dataOffset;
    this.dataSize = dataSize;
    this.fieldNames = fieldNames;
  }

  MigrationInterface migrationInterface() {
    return migrationInterface;
  }

  boolean isOf(CapabilityChain.Type found) {
    return found.type() == type && found.subtype() == subtype;
  }

  /** Bytes of registers; data lies behind them. */
  int structureBytes() {
    return structureBytes;
  }

  /** For messages: type and subtype. */
  String signature() {
    return signature;
  }

  /** For messages: what a driver must offer. */
  String title() {
    return title;
  }

  /** Whether its registers report dirty pages. */
  boolean tellsDirtyPages() {
    return tellsDirtyPages;
  }

  /** For messages. */
  String dataOffsetName() {
    return nameOf(dataOffset);
  }

  /** For messages. */
  String dataSizeName() {
    return nameOf(dataSize);
  }

  /** A register's name in the interface, for messages. */
  String nameOf(int field) {
    return fieldNames.apply(field);
  }
}
