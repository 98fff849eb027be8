package io.sluice.client;

import com.google.protobuf.ByteString;

/** One value of one header. NATS promises no character set, so both are bytes; mostly they are text. */
public final class Header {
  private final ByteString name;
  private final ByteString value;

  Header(ByteString name, ByteString value) {
    this.name = name;
    this.value = value;
  }

  /**
   * The name, as it was written.
   *
   * @return the name, read as UTF-8
   */
  public String name() {
    return name.toStringUtf8();
  }

  /**
   * The value, without the blanks after the colon.
   *
   * @return the value, read as UTF-8
   */
  public String value() {
    return value.toStringUtf8();
  }

  /**
   * The name, byte for byte.
   *
   * @return a copy
   */
  public byte[] nameBytes() {
    return name.toByteArray();
  }

  /**
   * The value, byte for byte.
   *
   * @return a copy
   */
  public byte[] valueBytes() {
    return value.toByteArray();
  }

  @Override
  public String toString() {
    return name() + ": " + value();
  }
}
