"""What the decoder of sound and film may open; the sound reader and the video writer share it."""

from __future__ import annotations

FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,ogg,opus,"
    "tta,voc,w64,wav,wv,mpc,mpc8,rm,s16le,truehd,dts,gsm,adts"
)
"""Containers that ffmpeg may open: sound and film, never a list of other files (concat, hls, image sequences)."""
