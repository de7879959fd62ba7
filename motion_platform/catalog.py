"""The one table of everything that has a name: kind -> name -> "module:Class".

Strings only: nothing is imported until it is asked for, and nothing registers itself by being imported. Packages
from outside add to a kind with an entry point in the group ``motion_platform.<kind>`` (see docs/add-an-encoder.md).
"""

from __future__ import annotations

CATALOG: dict[str, dict[str, str]] = {
    "encoders": {
        "sentence": "motion_platform.encoders.sentence:SentenceEncoder",
        "clip_text": "motion_platform.encoders.clip_text:ClipTextEncoder",
        "hf_text": "motion_platform.encoders.hf_text:HFTextEncoder",
        "label": "motion_platform.encoders.label:LabelEncoder",
        "glove_tags": "motion_platform.encoders.glove_tags:GloveTags",
    },
    "generators": {
        "mdm": "motion_platform.generators.mdm:MDM",
        "conductor_ddpm": "motion_platform.generators.conductor_ddpm:ConductorDDPM",
    },
    "motion_tokens": {
        "vqvae": "motion_platform.motion_tokens.vqvae:VQVAE",
    },
    "spaces": {
        "recogniser": "motion_platform.spaces.recogniser:Recogniser",
        "guo": "motion_platform.spaces.guo:Guo",
        "text_motion": "motion_platform.spaces.text_motion:TextMotion",
    },
    "metrics": {
        "recognition": "motion_platform.metrics.recognition:Recognition",
        "foot_skating": "motion_platform.metrics.foot_skating:FootSkating",
        "instructed": "motion_platform.metrics.instructed:Instructed",
        "floor_penetration": "motion_platform.metrics.physical:FloorPenetration",
        "floating": "motion_platform.metrics.physical:Floating",
        "jerk": "motion_platform.metrics.physical:Jerk",
        "bone_length_drift": "motion_platform.metrics.physical:BoneLengthDrift",
        "acceleration": "motion_platform.metrics.physical:Acceleration",
        "mse": "motion_platform.metrics.position:MSE",
        "mpjpe": "motion_platform.metrics.position:MPJPE",
        "pa_mpjpe": "motion_platform.metrics.position:PAMPJPE",
        "root_error": "motion_platform.metrics.position:RootError",
        "joint_error": "motion_platform.metrics.position:JointErrors",
        "acceleration_error": "motion_platform.metrics.position:AccelerationError",
        "ade": "motion_platform.metrics.prediction:ADE",
        "fde": "motion_platform.metrics.prediction:FDE",
        "apd": "motion_platform.metrics.prediction:APD",
        "keyposes": "motion_platform.metrics.keyposes:KeyPoses",
        "length_error": "motion_platform.metrics.length_error:LengthError",
        "frechet": "motion_platform.metrics.frechet:Frechet",
        "frechet_normalised": "motion_platform.metrics.frechet:FrechetNormalised",
        "r_precision": "motion_platform.metrics.r_precision:RPrecision",
        "r_precision_unique": "motion_platform.metrics.r_precision:RPrecisionUnique",
        "multimodal_distance": "motion_platform.metrics.distances:MultimodalDistance",
        "diversity": "motion_platform.metrics.distances:Diversity",
        "multimodality": "motion_platform.metrics.distances:Multimodality",
        "manifold": "motion_platform.metrics.manifold:Manifold",
        "retrieval": "motion_platform.metrics.retrieval:Retrieval",
        "caption_raw": "motion_platform.metrics.caption:CaptionRaw",
        "caption_tokens": "motion_platform.metrics.caption:CaptionTokens",
        "verb_accuracy": "motion_platform.metrics.verb_accuracy:VerbAccuracy",
        "bert_score_raw": "motion_platform.metrics.bert_score:BERTScoreRaw",
        "bert_score_tokens": "motion_platform.metrics.bert_score:BERTScoreTokens",
    },
    "representations": {
        "humanml3d": "motion_platform.motion.representations.guo:HumanML3D",
        "humanml3d_essential": "motion_platform.motion.representations.guo:HumanML3DEssential",
        "kit_ml": "motion_platform.motion.representations.guo:KITML",
        "conductor": "motion_platform.motion.representations.conductor:Conductor",
    },
    "data": {
        "bandai_namco": "motion_platform.data.bandai_namco:BandaiNamco",
        "cmu_humanml3d": "motion_platform.data.cmu_humanml3d:CMUHumanML3D",
        "bandai_cmu": "motion_platform.data.bandai_cmu:BandaiCMU",
        "humanml3d": "motion_platform.data.humanml3d:HumanML3DFolder",
        "kit_ml": "motion_platform.data.humanml3d:KITMLFolder",
        "bvh_folder": "motion_platform.data.bvh_folder:BVHFolder",
        "sample": "motion_platform.data.sample:Sample",
    },
}
